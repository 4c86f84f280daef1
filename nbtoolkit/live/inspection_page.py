"""The page of an inspection: one self-contained file without a script, in which every text is escaped."""

from __future__ import annotations

import base64
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ..html_report import page, table
from ..storage.measurements import SUFFIX
from ..strict_json import visible
from ..types.measurement import Measurement
from .drawings import Drawing, drawings, word_position
from .instruments import Instrument

PAGE = "inspect.html"
_DPI = 192
_WIDTH = 108  # pixels of the page per inch of a figure: texts of 6 points are legible
_STYLE = """
html { background: Canvas; color: CanvasText; }
h1 { overflow-wrap: anywhere; } section { margin: 0 0 2.2rem; } nav ul { padding-left: 1.1rem; } nav li { margin: .1rem 0; }
.top { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; align-items: flex-start; }
.top > img { width: min(100%, 16rem); padding: 0; } .top dl { flex: 1 1 18rem; margin: 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem .9rem; max-width: 60rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
mark { background: light-dark(#ffe08a, #7a5b00); color: inherit; padding: 0 .15em; border-radius: .2em; font-weight: 600; }
figure { margin: .8rem 0; } figcaption { margin-bottom: .3rem; overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: 0 1.5rem; } .figures > figure { max-width: 100%; min-width: 0; }
.refused { border-left: .25rem solid light-dark(#b3261e, #f2a19b); padding-left: .9rem; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .6rem .8rem; background: var(--soft); border-radius: .3rem; }
a { color: light-dark(#0b57d0, #a8c7fa); }
@media (max-width: 46rem) {
  body { padding: 0 .7rem; margin: 1rem auto; } section dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  section dd { margin-bottom: .35rem; } .wide > img { max-width: none; width: calc(var(--inches) * 78px); }
}
@media print {
  body { margin: 0; max-width: none; font-size: 10pt; } figure, dl, pre { break-inside: avoid; } h2 { break-after: avoid; }
  mark { border-bottom: 2px solid; } nav { display: none; } a { color: inherit; }
}
"""


@dataclass(frozen=True, eq=False)
class Result:
    """What an instrument gave.

    Attributes
    ----------
    name
        Name of the instrument, and of the map that it is of.
    instrument
        The instrument.
    measurement
        The measurement; None where it was refused.
    reason
        Why it was refused; empty where it was not.
    """

    name: str
    instrument: Instrument
    measurement: Measurement | None
    reason: str

    @property
    def file(self) -> str:
        """Name of the file of the measurement."""
        return self.name + SUFFIX

    @property
    def title(self) -> str:
        """Heading: that of the instrument, and the map that it is of."""
        about = self.name.removeprefix(self.instrument.name).removeprefix("-")
        return f"{self.instrument.title}: {about}" if about else self.instrument.title


def inspection_page(target: Any, results: Sequence[Result], image: str = "") -> str:
    """HTML of an inspection.

    Parameters
    ----------
    target
        The target.
    results
        Results of its instruments.
    image
        Name of the image.
    """
    items = "".join(
        f"<li><a href='#{escape(r.name)}'>{escape(r.title)}</a>{'' if r.measurement else ' (not measured)'}</li>"
        for r in results
    )
    measured = [r for r in results if r.measurement is not None]
    example = measured[0].file if measured else f"occlusion{SUFFIX}"
    body = [
        _top(target, image),
        f"<nav aria-label='Instruments'><ul>{items}</ul></nav>",
        *(_section(r, target.provenance) for r in results),
        "<section><h2>In Python</h2><p>Every measurement is a file beside this page, with its numbers, null, check and "
        "provenance.</p><pre tabindex=0><code>import nbtoolkit as nbt\n\n"
        f"m = nbt.Measurement.open({escape(json.dumps(example), quote=False)})\n"
        "m.values      # numbers on named axes (xarray)\nm.to_frame()  # one row per number (pandas)\n"
        "m.plot()</code></pre></section>",
    ]
    return page(visible(f"Why “{target.word}”?"), "".join(body), _STYLE)


def _text(text: Any) -> str:
    return escape(visible(str(text)))


def _list(rows: Mapping[str, str]) -> str:
    """Terms and their descriptions, which are HTML."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{v}</dd>" for k, v in rows.items() if v) + "</dl>"


def _top(target: Any, image: str) -> str:
    """What is explained."""
    before, word, after = target.marked
    width, height = target.image.size
    about, quantity = target.provenance, target.quantity
    rows = {
        "Model": _text(about["model"]) + (f", revision {_text(about['revision'])}" if about["revision"] else ""),
        "Image": _text(f"{image + ', ' if image else ''}{width} × {height} pixels"),
        "Question": _text(target.question),
        "Response": f"{_text(before)}<mark>{_text(word)}</mark>{_text(after)}" if word else _text(before),
        "Foil": f"“{_text(about['foil'])}”" if about["foil"] else "",
        "Probability": _text(f"{_number(target.probability)}, of the word where it is in the response"),
        "Quantity": _text(f"{quantity} = {target.value:.3f} {quantity.unit}"),
    }
    note = f"<p>{_text(quantity.note)}</p>" if quantity.note else ""
    picture = f"<img alt='The image' src='data:image/jpeg;base64,{base64.b64encode(target.thumbnail).decode()}'>"
    return f"<div class=top>{picture}{_list(rows)}</div>{note}"


def _section(result: Result, of_target: Mapping[str, Any]) -> str:
    head = f"<h2>{escape(result.title)}</h2><p>{escape(result.instrument.summary)}</p>"
    m = result.measurement
    if m is None:
        return (
            f"<section id='{escape(result.name)}'>{head}"
            f"<p class=refused><b>Not measured.</b> {_text(result.reason)}</p></section>"
        )
    figures = "".join(_figure(result.title, drawing) for drawing in drawings(m))
    settings = {k: v for k, v in m.provenance.items() if k not in of_target and k != "settings"}
    settings |= dict(m.provenance.get("settings") or {})
    rows = {
        "Unit": _text(m.unit),
        "Check": _text(m.check),
        "Null": _text(f"{m.null_kind.name}; it preserves {m.null_kind.preserves}") if m.null_kind else "none",
        "Note": _text(m.note),
        "Settings": "; ".join(f"{_text(k)} = {_text(_setting(v))}" for k, v in settings.items()),
        "File": f"<a href='{escape(result.file)}'>{escape(result.file)}</a>, {_text(_axes(m))}",
    }
    return f"<section id='{escape(result.name)}'>{head}<div class=figures>{figures}</div>{_tables(m)}{_list(rows)}</section>"


def _setting(value: Any) -> str:
    """A setting as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_setting(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_setting, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(share: float) -> str:
    return f"{share:.3f}" if share >= 0.001 else f"{share:.2g}"


def _axes(m: Measurement) -> str:
    return " × ".join(f"{name} ({size})" for name, size in m.values.sizes.items())


def _figure(title: str, drawing: Drawing) -> str:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a font; the page's own text has the words
        figure = drawing.part.plot()
        figure.savefig(buffer, format="png", dpi=_DPI)
    caption = f"<figcaption>{_text(drawing.caption)}</figcaption>" if drawing.caption else ""
    inches = figure.get_figwidth()
    return (
        f"<figure>{caption}<div class=wide tabindex=0><img width={inches * _WIDTH:.0f} style='--inches: {inches:.1f}' "
        f"alt='{_text(_alternative(title, drawing))}' "
        f"src='data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}'></div></figure>"
    )


def _alternative(title: str, drawing: Drawing) -> str:
    """What a figure shows, for those who do not see it: the largest value, and where it is."""
    values = drawing.part.values
    array = np.abs(values.values.astype(float))
    if not np.isfinite(array).any():
        return title
    place = np.unravel_index(int(np.nanargmax(array)), array.shape)
    cell = values[place]
    names = [f"{d} {values[d].values[i] if d in values.coords else i}" for d, i in zip(values.dims, place, strict=True)]
    if "row" in cell.coords and int(cell.row) >= 0:
        names = [f"row {int(cell.row) + 1}, column {int(cell.column) + 1} of the patches"]
    if "text" in cell.coords:
        names.append(f"“{cell.text.item()}”")
    return f"{title}. {drawing.caption} Largest in size: {float(cell):.3g} {drawing.part.unit} at {', '.join(names)}."


def _tables(m: Measurement) -> str:
    """What a figure cannot show: the words of a lens, and the areas under the curves of a map."""
    if m.name == "logit_lens":
        place = word_position(m)
        words, shares = (m.details[k].sel(position=place) for k in ("top_words", "top_probability"))
        rows = [
            [str(layer), *(f"{_text(str(w))}<small>{p:.2f}</small>" for w, p in zip(*pair, strict=True))]
            for layer, *pair in zip(words.layer.values, words.values, shares.values, strict=True)
        ]
        head = ["layer", *(str(rank) for rank in range(1, words.sizes["rank"] + 1))]
        return f"<p>Most probable sub-tokens where it is predicted, with their probability.</p>{table(head, rows)}"
    if m.name == "faithfulness":
        area, null, centre = (m.details[k] for k in ("auc", "null_auc", "centre_auc"))
        rows = [
            [
                str(curve),
                f"{area.sel(curve=curve).item():.2f}",
                f"{null.sel(curve=curve).min().item():.2f} to {null.sel(curve=curve).max().item():.2f}",
                f"{centre.sel(curve=curve).item():.2f}",
            ]
            for curve in area.curve.values
        ]
        text = "Area under the curves, 0 where nothing is left of the image and 1 where all of it is, no unit. A faithful map has a small one under deletion."
        return f"<p>{text}</p>{table(['curve', 'this map', 'random orders', 'centre of the image first'], rows)}"
    return ""
