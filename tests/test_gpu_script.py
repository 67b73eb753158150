"""The script that measures a GPU runs, so that it is ready where there is one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.versions import DISPATCHES, NEWEST, SKLEARN

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(not (ROOT / "benchmarks").exists(), reason="the benchmarks are not here")
@pytest.mark.skipif(not DISPATCHES or SKLEARN < NEWEST, reason="the dispatch is the newest's")
def test_a_trial_without_a_gpu(tmp_path):
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--quick"]
    command += ["--cases", "ridge", "scaled", "weighted", "--rounds", "1", "--threads", "1"]
    command += ["--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "gpu_arrays.json").read_text())
    assert set(record["cases"]) == {"ridge", "scaled", "weighted"}
    for entry in record["cases"].values():
        assert entry["left_out"] == [] and entry["total"] > 0
        for rival in ("cores", "dispatch"):
            assert entry[rival]["extrapolated"] > entry[rival]["seconds"], entry[rival]
        ours, theirs = entry["fits"][-1]["best_score"], entry["dispatch"]["best_score"]
        assert ours >= theirs - 1e-6  # of two values
    assert "times as fast as the grid on the cores" in done.stdout
