"""A browser's requests to the webserver, without the browser.

Belongs here: launching and watching over GraphQL. Does not: asserting.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from typing import Any

__all__ = ["Webserver"]

_LAUNCH = """
mutation ($execution: ExecutionParams!) {
  launchRun(executionParams: $execution) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message stack }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
_RUN = """
query ($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { status tags { key value } }
  }
}"""
_MESSAGES = """
query ($id: ID!) {
  logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent { message level } } } }
}"""
_LOCATION = """
{ workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename ... on PythonError { message } }
} } } }"""
_RELOAD = """
mutation { reloadRepositoryLocation(repositoryLocationName: "taxi_platform") { __typename } }"""
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType healthy required } } } }"

_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class Webserver:
    """Dagster's web server at an address such as ``http://127.0.0.1:3000``."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer; raises RuntimeError for one with errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self._url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if answer.get("errors"):
            raise RuntimeError(json.dumps(answer["errors"]))
        return answer["data"]

    def launch(self, job: str, month: str | None = None) -> str:
        """Queue a run of a job, of one month where it is partitioned; returns the run's id."""
        tags = [{"key": "dagster/partition", "value": f"{month}-01"}] if month else []
        execution = {
            "selector": {
                "repositoryLocationName": "taxi_platform",
                "repositoryName": "__repository__",
                "jobName": job,
            },
            "runConfigData": {},
            "executionMetadata": {"tags": tags},
        }
        answer = self.ask(_LAUNCH, execution=execution)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(json.dumps(answer))
        return str(answer["run"]["runId"])

    def status(self, run: str) -> str:
        """The run's status, in Dagster's words."""
        return str(self.ask(_RUN, id=run)["runOrError"]["status"])

    def tags(self, run: str) -> dict[str, str]:
        """The run's tags."""
        return {tag["key"]: tag["value"] for tag in self.ask(_RUN, id=run)["runOrError"]["tags"]}

    def wait(self, run: str, until: str | None = None, seconds: float = 180) -> str:
        """The run's status once it has ended, or once it is ``until``."""
        deadline = time.monotonic() + seconds
        while (status := self.status(run)) not in ({until} if until else _ENDED):
            if time.monotonic() > deadline or status in _ENDED:
                raise TimeoutError(f"run {run} is {status}")
            time.sleep(0.3)
        return status

    def messages(self, run: str) -> str:
        """What the run's page shows, line by line."""
        return "\n".join(event["message"] for event in self.ask(_MESSAGES, id=run)["logsForRun"]["events"])

    def reload(self) -> None:
        """The button beside the code location."""
        self.ask(_RELOAD)

    def code_location(self) -> str:
        """``RepositoryLocation`` where it is loaded, else what stands in its place."""
        (entry,) = self.ask(_LOCATION)["workspaceOrError"]["locationEntries"]
        return str((entry["locationOrLoadError"] or {}).get("__typename"))

    def unhealthy_daemons(self) -> list[str]:
        """The daemons that should run and are not healthy."""
        daemons = self.ask(_DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return [d["daemonType"] for d in daemons if d["required"] and not d["healthy"]]


def main(url: str, month: str) -> None:
    """Bring the zones and a month of green through the interface; the tags of its run say where it ran."""
    webserver = Webserver(url)
    for job, partition in (("taxi_zones", None), ("green_months", month)):
        run = webserver.launch(job, partition)
        if (status := webserver.wait(run)) != "SUCCESS":
            sys.exit(f"the run of {job} ended with {status}:\n{webserver.messages(run)}")
    print(json.dumps(webserver.tags(run), indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
