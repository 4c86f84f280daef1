"""What a saved notebook shows when it is opened again: a picture beside the widget, which hides while the widget lives.

JupyterLab does not store the state of widgets, and renders a widget's own output before any other type of the same
output: where the widget is gone this is an error. So the picture is a second output. Its style sheet hides it while the
view is in the page, and hides the error where it is not. Hosts that drop style sheets show the picture.
"""

from __future__ import annotations

import base64
import html
from typing import Any

from IPython.display import display

from ..strict_json import visible
from .picture import as_jpeg

WIDTH = 900  # pixels of the picture in a notebook's file, which all its outputs share
HINT = "Run the cell again for the interactive view."
_STYLE = """<style>
:root:has(.nbt-live-{id}) :is(.nbt-still-{id}, .jp-OutputArea-child:has(.nbt-still-{id})) {{ display: none; }}
.jp-OutputArea-child:has(> .jupyter-widgets):not(:has(> .jupyter-widgets > *)):has(+ .jp-OutputArea-child .nbt-still-{id}) {{ display: none; }}
.lm-Widget.jp-OutputArea-child:not(:has(> .jupyter-widgets)) + .jp-OutputArea-child .nbt-still-{id} {{ animation: nbt-wait 3s; }}
@keyframes nbt-wait {{ from, to {{ height: 0; overflow: hidden; }} }}
</style>"""


def still_html(view: Any) -> str:
    """HTML of a view's picture for the notebook's file.

    Parameters
    ----------
    view
        The view.
    """
    picture = view._picture()
    jpeg = base64.b64encode(as_jpeg(picture, WIDTH)).decode()
    about = html.escape(visible(f"{picture.title}, {picture.about}"), quote=True)
    return (
        f'{_STYLE.format(id=view._view)}<div class="nbt-still-{view._view}"><img alt="{about}" width="{WIDTH}" '
        f'style="max-width: 100%; height: auto" src="data:image/jpeg;base64,{jpeg}"><p>{HINT}</p></div>'
    )


def show(view: Any, bundle: dict[str, Any], metadata: dict[str, Any]) -> None:
    """Display a view and its picture as two outputs of a cell.

    Parameters
    ----------
    view
        The view.
    bundle, metadata
        Of the widget's own output.
    """
    display(bundle, metadata=metadata, raw=True)
    display({"text/html": still_html(view), "text/plain": HINT}, raw=True)
