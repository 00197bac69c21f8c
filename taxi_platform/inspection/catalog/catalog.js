"use strict";
/* The search over tables and columns, copying a query, and arrows that light up beside a box. Every page works without:
   each table and column has a link on the index, or on the page of all columns. */
(() => {
  const entries = document.getElementById("entries");
  if (entries) search(JSON.parse(entries.textContent), document.getElementById("search"));
  document.querySelectorAll(".query").forEach(copying);
  document.querySelectorAll(".graph [data-name]").forEach(lighting);

  /* An entry: name, link, what it is, all that it can be found by. */
  function search(all, field) {
    const found = document.getElementById("found"), said = document.getElementById("said");
    const list = document.getElementById("hits");
    const MOST = 60;
    const show = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      found.hidden = words.length === 0;
      const ranked = words.length === 0 ? [] : all
        .map((entry) => [rank(entry, words), entry])
        .filter(([place]) => place > 0)
        .sort((one, other) => other[0] - one[0]);
      list.replaceChildren(...ranked.slice(0, MOST).map(([, entry]) => line(entry)));
      said.textContent = ranked.length > MOST ? `${ranked.length} found, the first ${MOST} shown`
        : `${ranked.length} found`;
    };
    field.addEventListener("input", show);
    field.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const first = list.querySelector("a");
      if (first) first.click();
    });
    field.addEventListener("keydown", (event) => { if (event.key === "ArrowDown") step(event, -1, 1); });
    list.addEventListener("keydown", (event) => {
      const links = [...list.querySelectorAll("a")], at = links.indexOf(document.activeElement);
      if (event.key === "ArrowDown") step(event, at, 1);
      if (event.key === "ArrowUp") at === 0 ? field.focus() : step(event, at, -1);
    });
    function step(event, from, by) {
      const next = list.querySelectorAll("a")[from + by];
      if (next) { event.preventDefault(); next.focus(); }
    }
    const asked = new URLSearchParams(location.search).get("q");
    if (asked) { field.value = asked; show(); field.focus(); }
  }

  /* 0 where a word is missing; more where the name itself has it, most where it is the name. */
  function rank([name, , , text], words) {
    const own = name.toLowerCase(), last = own.slice(own.indexOf(".") + 1);
    let sum = 0;
    for (const word of words) {
      if (last === word || own === word) sum += 8;
      else if (last.startsWith(word)) sum += 5;
      else if (own.includes(word)) sum += 3;
      else if (text.toLowerCase().includes(word)) sum += 1;
      else return 0;
    }
    return sum + 1 / (2 + name.length);
  }

  function line([name, link, text]) {
    const item = document.createElement("li"), anchor = document.createElement("a");
    anchor.href = link;
    anchor.className = "name";
    anchor.textContent = name;
    item.append(anchor, " ", text);
    return item;
  }

  function copying(query) {
    const button = document.createElement("button"), code = query.querySelector("code");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected: press Ctrl-C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    query.querySelector(".under").prepend(button);
  }

  function lighting(box) {
    const svg = box.closest("svg"), name = CSS.escape(box.dataset.name);
    const near = [box, ...svg.querySelectorAll(`[data-from="${name}"], [data-to="${name}"]`)];
    const light = (on) => () => near.forEach((each) => each.classList.toggle("is-near", on));
    for (const event of ["mouseenter", "focus"]) box.addEventListener(event, light(true));
    for (const event of ["mouseleave", "blur"]) box.addEventListener(event, light(false));
  }
})();
