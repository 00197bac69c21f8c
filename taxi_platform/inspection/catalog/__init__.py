"""The catalog: every table and column of every store, where it comes from, and what is there, as a folder of pages.

Belongs here: what the catalog lists (``relations``), where columns come from (``lineage``), what the stores hold
(``evidence``), the contracts as files (``standard``), the drawings (``drawing``), the search (``search``) and the pages
(``site`` and its templates). Does not: any fact about the data (the contracts' and marts' own), and counting
(``inspection.status``).
"""
