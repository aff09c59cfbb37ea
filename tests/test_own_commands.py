"""The command line: what it writes, and that what cannot be done is one sentence and leaves nothing."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from deeplimits import own
from deeplimits.architectures import mlp
from deeplimits.own import _commands, _networks

SMALL = ["--width", "16", "--depth", "4", "--samples", "5"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names():
    return sorted(path.name for path in Path.cwd().iterdir())


def test_a_report_is_a_page_and_data(capsys):
    assert _commands.main(["report", *SMALL, "--activation", "gelu", "--target", "norm=1"]) == 0
    assert names() == ["report.html", "report.json"]
    data = json.loads(Path("report.json").read_text())
    pytest.importorskip("jsonschema").validate(data, own.schema())
    assert data["networks"] == 5 and data["advice"][0]["lever"] == "gain"
    printed = capsys.readouterr()
    assert "root mean square" in printed.out and printed.err == ""


def test_two_designs_are_compared():
    a, b = "width=8,depth=2", "width=8,depth=6,init=1.4,activation=tanh"
    assert _commands.main(["compare", a, b, "--samples", "5", "--output", "both"]) == 0
    assert names() == ["both.html", "both.json"]
    assert json.loads(Path("both.json").read_text())["labels"] == [a, b]


def test_a_function_of_a_module_gives_the_design():
    sys.modules.pop("mine", None)
    Path("mine.py").write_text("from deeplimits.architectures import mlp\ndef make():\n    return mlp([8, 8, 2])\n")
    assert _commands.main(["report", "--module", "mine:make", "--samples", "3"]) == 0
    assert json.loads(Path("report.json").read_text())["networks"] == 3


def test_a_function_of_a_file_gives_the_design():
    Path("folder").mkdir()
    Path("folder/here.py").write_text("from deeplimits.architectures import mlp\ndef make():\n    return mlp([8, 2])\n")
    assert _commands.main(["report", "--module", "folder/here.py:make", "--samples", "3"]) == 0


def test_the_command_is_there_from_a_shell():
    source = str(Path(own.__file__).parents[2])
    call = [sys.executable, "-m", "deeplimits", "--help"]
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": source})
    assert done.returncode == 0 and "report" in done.stdout and "compare" in done.stdout


@pytest.mark.parametrize("command", ["report", "compare"])
def test_help_names_the_presets(command, capsys):
    with pytest.raises(SystemExit) as caught:
        _commands.main([command, "--help"])
    assert caught.value.code == 0 and "gpt2-xl" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "--preset", "gpt2-xxl"], "did you mean 'gpt2-xl'?"),
        (["report", *SMALL, "--init", "hee"], "did you mean 'he'?"),
        (["report", *SMALL, "--activation", "gellu"], "did you mean gelu?"),
        (["report", *SMALL, "--norm", "layers"], "did you mean 'layer'?"),
        (["report", *SMALL, "--residual", "1/sqrt(l)"], "did you mean '1/sqrt(L)'?"),
        (["report", *SMALL, "--target", "norm"], "NAME=VALUE"),
        (["report", *SMALL, "--target", "norm=one"], "must be a number"),
        (["report", *SMALL, "--target", "size=1"], "target must be among norm"),
        (["report", "--width", "16"], "depth must be given"),
        (["report", "--width", "0", "--depth", "2"], "width must be"),
        (["report", *SMALL, "--law", "he"], "law must be None for a list of blocks"),
        (["report", "--module", "absent:make"], "could not be made"),
        (["report", "--module", "absent"], "PACKAGE.MODULE:FUNCTION"),
        (["report", "--module", "absent.py:make"], "could not be made"),
        (["compare", "gpt2", "gpt-2"], "did you mean 'gpt2'?"),
        (["report", *SMALL, "--output", "none/here"], "output must be a name in a folder that exists"),
        (["report", *SMALL, "--output", ""], "output must be a name in a folder that exists"),
        (["report", *SMALL, "--output", "a\0b"], "output must be a file that can be written"),
        (["report", *SMALL, "--output", "long" * 99], "output must be a file that can be written"),
        (["report", *SMALL, "--output", "/proc/here"], "output must be a file that can be written"),
        (["report", *SMALL, "--samples", "0"], "samples must be"),
        (["compare", "gpt2", "width=3"], "must give depth"),
        (["compare", "gpt2", "width=3,depth=2,heads=4"], "must be made of"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(arguments, said, capsys):
    assert _commands.main(arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert names() == []


def test_results_are_both_written_or_neither(monkeypatch, capsys):
    Path("report.html").write_text("before")
    replaced = []

    def full(self, text, **how):
        replaced.append(self.name)
        if ".json" in self.name:
            raise OSError(28, "No space left on device")
        return write(self, text, **how)

    write = Path.write_text
    monkeypatch.setattr(Path, "write_text", full)
    assert _commands.main(["report", *SMALL]) == 2
    assert "No space left" in capsys.readouterr().err and len(replaced) == 2
    assert names() == ["report.html"] and Path("report.html").read_text() == "before"


def test_a_folder_in_the_way_of_a_result_is_seen_before_the_work(monkeypatch, capsys):
    Path("report.json").mkdir()
    monkeypatch.setattr(_networks.Blocks, "draw", None)
    assert _commands.main(["report", *SMALL]) == 2
    assert "output must be a file that can be written, got 'report.json'" in capsys.readouterr().err
    assert names() == ["report.json"]


@pytest.mark.parametrize("where", ["", ".", "a\0b", "long" * 99, "file/kept", "/proc/none/kept", "/proc/kept"])
def test_a_checkpoint_that_no_file_can_be_is_refused_before_the_work(where, monkeypatch):
    Path("file").write_text("")
    monkeypatch.setattr(_networks.Blocks, "draw", None)
    small = mlp([8, 2])
    for call in (own.report, lambda one, **how: own.compare(one, one, **how)):
        with pytest.raises(ValueError, match="^checkpoint must be a file that can be written") as caught:
            call(small, samples=2, checkpoint=where, progress=False)
        assert "\n" not in str(caught.value)
    assert names() == ["file"]


def test_the_folder_of_a_checkpoint_may_be_missing():
    found = own.report(mlp([8, 2]), samples=2, checkpoint="none/deeper/kept", progress=False)
    assert found.trace.samples == 2 and list(Path("none/deeper").iterdir()) == []


def test_a_module_that_does_not_fit_its_batch_is_one_sentence(capsys):
    pytest.importorskip("torch")
    Path("mine.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(3, 2), torch.ones(2, 4)\n")
    sys.modules.pop("mine", None)
    assert _commands.main(["report", "--module", "mine:make"]) == 2
    assert "batch must fit the module" in capsys.readouterr().err
    assert [name for name in names() if "report" in name] == []


def test_a_law_is_named_where_a_module_has_another(capsys):
    pytest.importorskip("torch")
    Path("begun.py").write_text(
        "import torch\ndef make():\n    m = torch.nn.Linear(30, 20)\n    torch.nn.init.kaiming_normal_(m.weight)\n"
        "    torch.nn.init.zeros_(m.bias)\n    return m, torch.ones(2, 30)\n"
    )
    sys.modules.pop("begun", None)
    asked = ["report", "--module", "begun:make", "--samples", "3"]
    assert _commands.main(asked) == 2 and [name for name in names() if "report" in name] == []
    assert "near that of law='he'" in capsys.readouterr().err
    assert _commands.main([*asked, "--law", "he"]) == 0
    assert "Linear (law he)" in capsys.readouterr().out


def test_no_pytorch_is_one_sentence(monkeypatch, capsys):
    text = "class Model:\n    def named_modules(self):\n        return []\ndef make():\n    return Model(), 1\n"
    Path("other.py").write_text(text)
    monkeypatch.setattr("deeplimits.torch.torch", None)
    monkeypatch.setattr("deeplimits.own._modules.found", lambda name: None)
    assert _commands.main(["report", "--module", "other:make"]) == 2
    assert "pip install deeplimits[torch]" in capsys.readouterr().err


def test_an_interrupt_keeps_what_was_measured(monkeypatch, capsys):
    monkeypatch.setattr(_networks, "PIECE", 1)
    draw = _networks.Blocks.draw

    def interrupted(self, first, count, seed):
        if first == 3:
            raise KeyboardInterrupt
        return draw(self, first, count, seed)

    monkeypatch.setattr(_networks.Blocks, "draw", interrupted)
    assert _commands.main(["report", *SMALL]) == 130
    assert names() == [".report.checkpoint"] and "goes on" in capsys.readouterr().err
    monkeypatch.setattr(_networks.Blocks, "draw", draw)
    assert _commands.main(["report", *SMALL]) == 0
    assert names() == ["report.html", "report.json"]


def test_an_interrupted_comparison_keeps_the_first_design(monkeypatch):
    monkeypatch.setattr(_networks, "PIECE", 1)
    draw, drawn = _networks.Blocks.draw, []

    def interrupted(self, first, count, seed):
        drawn.append((self.network.depth, first))
        if (self.network.depth, first) == (7, 3) and drawn.count((7, 3)) == 1:
            raise KeyboardInterrupt
        return draw(self, first, count, seed)

    monkeypatch.setattr(_networks.Blocks, "draw", interrupted)
    asked = ["compare", "width=8,depth=2", "width=8,depth=6", "--samples", "5"]
    assert _commands.main(asked) == 130
    assert names() == [".comparison.checkpoint", ".comparison.checkpoint-second"]
    assert _commands.main(asked) == 0
    assert names() == ["comparison.html", "comparison.json"]
    assert all(count == 1 for one, count in Counter(drawn).items() if one != (7, 3))


def test_an_interrupted_diagnosis_goes_on(monkeypatch):
    torch = pytest.importorskip("torch")
    from deeplimits.own import _modules, diagnose

    module, batch = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)), torch.eye(4)
    how = {"level": 0.1, "progress": False, "checkpoint": "kept"}
    whole = diagnose(module, batch, **{**how, "checkpoint": None})
    networks, asked = _modules.Module.networks, []

    def interrupted(self, first, count, seed):
        asked.append(first)
        if first == 5 and asked.count(5) == 1:
            raise KeyboardInterrupt
        return networks(self, first, count, seed)

    monkeypatch.setattr(_modules.Module, "networks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        diagnose(module, batch, **how)
    assert names() == ["kept"]
    assert diagnose(module, batch, **how) == whole and names() == []
    assert asked.count(0) == 1 and asked.count(5) == 2


def test_a_checkpoint_of_another_batch_is_not_believed(monkeypatch):
    torch = pytest.importorskip("torch")
    from deeplimits.own import _modules

    module, large = torch.nn.Linear(64, 2), torch.zeros(64, 64)
    other = large.clone()
    other[32, 32] = 1.0
    assert repr(large) == repr(other)
    sources = [_modules.Module(module, batch, 1, None) for batch in (large, other, {"input": large})]
    assert len({repr(source) for source in sources}) == 3
