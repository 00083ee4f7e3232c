"""The configuration: from the file to the store and to the stages.

`load` reads and checks a file, `apply` writes it into the store, `export` writes it out again, `Directory`
(in `shared.config.directory`) hands it to the workers.
"""

from shared.config.documents import from_documents, to_documents
from shared.config.problems import InvalidConfiguration, Problem
from shared.config.reading import load
from shared.config.store import Applied, apply
from shared.config.writing import export

__all__ = ["Applied", "InvalidConfiguration", "Problem", "apply", "export", "from_documents", "load", "to_documents"]
