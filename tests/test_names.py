"""The public names: one table, the type checker's view of it, and everything of release 0.1 under its old path."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import nbtoolkit as nbt
from nbtoolkit._names import MOVED, RENAMED

PACKAGE = Path(nbt.__file__).parent

# what release 0.1 had: the modules, and the names that its README, notebooks and __all__ lists showed
RELEASE_0_1 = {
    "": "ConceptDictionary Grounding LargestNorm NbtoolkitError RandomDirections Representations Scores SemiNMF Source Study WordFilter "
        "check_model compare decompose evaluate explore extract ground interpret list_decompositions load_data load_model load_scorer "
        "open_study options read_xl_vlms saliency study sweep toy widgets",
    "atomic": "write_json write_text sha256",
    "attribution": "mentions contributions Mentions Contributions",
    "baselines": "random_words noise_images noise_representations",
    "batches": "Batch batches prepare",
    "cli": "main",
    "cluster": "read_shard",
    "comparison": "compare_dictionaries Agreement",
    "data": "load_data captioned raw_images read_image thumbnail images_by_id vocabulary",
    "decomposition": "LargestNorm RandomDirections SemiNMF decompose list_decompositions named",
    "decomposition.baselines": "LargestNorm RandomDirections",
    "decomposition.semi_nmf": "SemiNMF",
    "doors": "find_column open_path is_repository one_split",
    "effects": "effect layer_effects Effect LayerEffects word_difference",
    "errors": "NbtoolkitError DataError ModelError TokenError NothingFoundError StudyError MethodError Cancelled",
    "example": "noise_study",
    "extraction": "extract",
    "grounding": "ground WordFilter FILTERS word_filter exemplars",
    "interop": "read_xl_vlms",
    "interpretation": "interpret saliency saliencies Interpretation Part take_apart",
    "interventions": "ablate patch steer mean_contributions",
    "lab": "serve need_lab first_notebook",
    "live": "explore Live",
    "metrics": "Comparison Curve Score active_concepts bert_score c_deletion c_insertion caption_clip_score captions_bert_score clip_score compare "
               "correspondence evaluate explained_variance hoyer matched_cosines naming of_top_concepts overlap specificity stability "
               "top_words_bert_score top_words_clip_score word_list",
    "metrics.vision": "clip_score correspondence word_list",
    "metrics.testset": "of_top_concepts top_words_clip_score",
    "models": "Model Report Scorer TextEncoder check_model load_model load_scorer load_text_encoder",
    "models.adapter": "Model",
    "models.grid": "patch_grid",
    "models.hooks": "watching LastPosition",
    "models.passes": "greedy forced at_positions",
    "models.scorer": "Scorer load_scorer",
    "models.threads": "fitting_threads",
    "paper": "TABLE_1 TABLE_2 FIGURE_6",
    "persist": "dump_encoder load_encoder",
    "plots": "across_layers concept_cards correspondence curves local saliency_map",
    "progress": "bar",
    "provenance": "fingerprint versions weights",
    "reading": "Reader Rows",
    "report": "write_report",
    "reproduction": "reproduce Reproduction SIZES SYSTEMS METHODS",
    "settings": "options Options",
    "shards": "ShardStore",
    "shift": "concept_shift Shift t_overlap difference_of_means concept_pair",
    "stopwords": "STOP_WORDS",
    "store": "open_study save_study",
    "studies": "study extend",
    "sweeps": "sweep sized Pictures",
    "tokens": "spellings contains locate frequent_words subtoken_variants find_token find_tokens encode_answer",
    "toy": "FACTORS WORDS parse scenes",
    "toy.grammar": "FACTORS WORDS parse caption",
    "toy.architecture": "captioner scorer tokenizer",
    "types": "ConceptDictionary Encoder Grounding Representations Sample Scores Source Study activations_of",
    "types.study": "Sample Study",
    "widgets": "ConceptGallery DictionaryComparison Explorer LayerSlider SampleAttribution",
    "widgets.base": "StudyView",
    "widgets.encode": "thumbs",
}  # fmt: skip


@pytest.mark.parametrize("module", RELEASE_0_1)
def test_names_of_release_0_1_still_work(module):
    home = importlib.import_module(f"nbtoolkit.{module}".rstrip("."))
    missing = [name for name in RELEASE_0_1[module].split() if not hasattr(home, name)]
    assert not missing


def test_every_moved_module_has_homes_and_unknown_names_are_refused():
    for old, homes in MOVED.items():
        module = importlib.import_module(f"nbtoolkit.{old}")
        assert not (PACKAGE / f"{old.replace('.', '/')}.py").exists(), old
        for home in homes:
            importlib.import_module(f"nbtoolkit.{home}")
        with pytest.raises(
            AttributeError, match=rf"module 'nbtoolkit.{old}' has moved to nbtoolkit\..+, which has no 'nothing'"
        ):
            module.nothing  # noqa: B018 - the access is the test
        for before in RENAMED.get(old, {}):
            assert getattr(module, before) is not None
    with pytest.raises(ModuleNotFoundError, match="nbtoolkit.nowhere"):
        importlib.import_module("nbtoolkit.nowhere")


def test_an_old_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "nbtoolkit.toy.train", "--help"], capture_output=True, text=True, check=True
    )
    assert "--out" in done.stdout


def test_the_type_checker_sees_the_names_of_the_table():
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    seen = {alias.asname: (n.module, alias.name) for n in block.body for alias in n.names}
    assert all(name == original for name, (_, original) in seen.items())
    assert set(seen) | {"options"} == set(dir(nbt)) - {"cli"}
    for name, (module, _) in seen.items():
        source = importlib.import_module(f"nbtoolkit.{module}" if module else "nbtoolkit")
        here = getattr(nbt, name)
        if inspect.ismodule(here):
            assert importlib.import_module(f"nbtoolkit.{module}.{name}".replace(".None", "")) or source
        else:
            assert getattr(source, name) is here, name


CODE = """
import nbtoolkit as nbt
assert set(nbt.__all__) <= set(dir(nbt)) and len(nbt.__all__) <= 35
for name in ("plots", "metrics", "interventions", "attribution", "baselines", "models", "types", "storage", "text", "data", "effects", "lens"):
    assert getattr(nbt, name).__name__ == f"nbtoolkit.{name}", name
"""


def test_packages_are_attributes_without_an_import_of_their_own():
    subprocess.run([sys.executable, "-c", CODE], check=True)
    packages = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(dir(nbt))


def test_public_names_have_docstrings_and_a_wrong_one_is_answered():
    for name in nbt.__all__:
        assert getattr(nbt, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'explroe'; it has .*explore"):
        nbt.explroe  # noqa: B018 - the access is the test


LIGHT = """
import sys, time
start = time.process_time()
import nbtoolkit{module}
heavy = {{"torch", "transformers", "sklearn", "datasets", "anywidget", "pandas", "matplotlib", "numpy"}} & set(sys.modules)
print(*sorted(heavy))
"""


@pytest.mark.parametrize(("module", "admitted"), [("", set()), (".plots", {"numpy", "matplotlib", "pandas"}), (".text", set()), (".types", {"numpy"}),
                                                  (".storage", {"numpy"}), (".cli", {"numpy", "anywidget"}), (".widgets", {"numpy", "anywidget"})])  # fmt: skip
def test_imports_stay_light(module, admitted):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(module=module)], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= admitted


def test_a_function_is_called_also_where_a_module_of_release_0_1_had_its_path():
    code = """
import nbtoolkit.metrics.faithfulness as old
import nbtoolkit as nbt
assert old.c_deletion is nbt.metrics.c_deletion
try:
    nbt.metrics.faithfulness(None)
except nbt.errors.MethodError as error:
    assert str(error).startswith("measurement is None; expected a Measurement"), error
from nbtoolkit.metrics import faithfulness
assert faithfulness.__name__ == "faithfulness"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
