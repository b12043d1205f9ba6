"""Where the pages of the documentation are."""

import sys

__all__ = ["Documented"]

SITE = "https://skxmr.readthedocs.io/en/stable"


class Documented:
    """An estimator whose HTML display links to its page of the documentation.

    scikit-learn makes the link from these names. Subclasses in other packages get none.
    """

    _doc_link_module = "skxmr"
    _doc_link_template = f"{SITE}/api/generated/{{page}}.html"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        """Name the page: a class is documented where users import it from."""
        home = type(self).__module__.partition("._")[0]
        name = type(self).__name__
        if hasattr(sys.modules["skxmr"], name):
            home = "skxmr"
        return {"page": f"{home}.{name}"}
