"""Nothing that Windows lacks is used without a guard: nobody here has Windows.

A use is guarded where an `if`, a mark of pytest or a `try` around it asks for the
system or for the name, or an early return does; or where it stands in a function, class
or script, as text, that only guarded code uses.
"""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent

MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios"}
NAMES = {
    "mmap": r"MAP_\w+|MADV_\w+|PROT_\w+",
    "os": (
        r"chown|confstr|fchmod|fchown|fork\w*|get[eg]?uid|getgid|getloadavg|getxattr|"
        r"killpg|lchown|listxattr|mkfifo|nice|O_DIRECTORY|O_NOFOLLOW|O_NONBLOCK|"
        r"posix_\w+|pread|pwrite|register_at_fork|removexattr|sched_\w+|set\w*[ug]id|"
        r"setsid|setxattr|statvfs|symlink|sysconf|uname|wait[34]?|WNOHANG|W[A-Z]+"
    ),
    "signal": r"alarm|pthread_\w+|setitimer|SIG(?!INT\b|TERM\b|_)\w+|sigwait\w*",
    "socket": r"AF_UNIX|socketpair",
    "time": r"tzset",
}
# Methods of any object, such as a process or a path.
METHOD_NAMES = {"send_signal", "symlink_to", "hardlink_to"}
FOLDERS = re.compile(r"^/(proc|dev|tmp|sys)/")
GUARD = re.compile(
    r"os\.name|sys\.platform|hasattr|getattr|platform\.system|fcntl|shutil\.which|"
    r"\b(posix|linux|may_link|may_mount|may_make_namespaces|can_flush)\b"
)
# What helpers of the tests give that works on Linux only.
OF_HELPERS = {"Network", "printed_by"}
HELPERS = {"memory_watch.py", "network_namespaces.py", "platforms.py"}
# Where no such folder is, reading in it fails, and that is expected.
EXPECTED = {
    "_limits.py": [
        "the folder /sys/fs/cgroup",
        "the folder /proc/self",
        "the folder /proc/meminfo",
    ],
    "test_untrusted_files.py": ["the folder /tmp/escaped.npy"],
    # It forks, and only tests that Windows skips use it.
    "living_sequences.py": ["symlink_to"],
}

TEXT_METHODS = {"read_text": 0, "write_text": 1}

# What is run by hand, on Linux, is left out.
FILES = sorted(
    path
    for path in [*ROOT.glob("skxmr/**/*.py"), *TESTS.glob("**/*.py"), ROOT / "setup.py"]
    if not {"tools", "fuzz"} & set(path.relative_to(ROOT).parts)
)


class Uses(ast.NodeVisitor):
    """Collect what Windows lacks, with the nodes that it stands in."""

    def __init__(self):
        self.around = []
        self.found = []  # (what, line, the nodes around it)
        self.references = []  # (name, the nodes around it)

    def generic_visit(self, node):
        self.around.append(node)
        super().generic_visit(node)
        self.around.pop()

    def note(self, what, node):
        self.found.append((what, node.lineno, tuple(self.around)))

    def visit_Import(self, node):
        for name in MODULES & {alias.name for alias in node.names}:
            self.note(f"import {name}", node)

    def visit_ImportFrom(self, node):
        if node.module in MODULES:
            self.note(f"from {node.module}", node)
        for alias in node.names:
            if re.fullmatch(NAMES.get(node.module, "$."), alias.name):
                self.note(f"{node.module}.{alias.name}", node)

    def visit_Attribute(self, node):
        owner = getattr(node.value, "id", None)
        lacking = NAMES.get(owner)
        if lacking and re.fullmatch(lacking, node.attr):
            self.note(f"{owner}.{node.attr}", node)
        elif node.attr in METHOD_NAMES:
            self.note(node.attr, node)
        self.generic_visit(node)

    def visit_Name(self, node):
        self.references.append((node.id, tuple(self.around)))
        if node.id in OF_HELPERS:
            self.note(node.id, node)

    def visit_Constant(self, node):
        text = node.value
        if not isinstance(text, str) or self.is_docstring(node):
            return
        if FOLDERS.match(text):
            self.note(f"the folder {text}", node)
        elif "\n" in text and re.search(r"^\s*(import|from) \w", text, re.MULTILINE):
            for what, line, _ in unguarded_in(text):
                self.found.append(
                    (f"{what} in a script", node.lineno + line, tuple(self.around))
                )

    def is_docstring(self, node):
        return isinstance(self.around[-1], ast.Expr)


def unguarded_in(source):
    """List (what, line, nodes around) of the uses that nothing guards."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a script with gaps to be filled, or no Python
        return []
    uses = Uses()
    uses.visit(tree)
    kept = {name for name, _ in uses.references}
    guarded = set()
    while True:
        more = {
            name
            for name in kept - guarded
            if all(
                is_guarded(around, guarded) or name in names_of(around)
                for other, around in uses.references
                if other == name and not is_definition(name, around)
            )
            and any(
                other == name and not is_definition(name, around)
                for other, around in uses.references
            )
        }
        if not more:
            break
        guarded |= more
    return [use for use in uses.found if not is_guarded(use[2], guarded)]


def is_definition(name, around):
    """Tell whether a name stands where its value is assigned."""
    parent = around[-1]
    return isinstance(parent, ast.Assign) and name in names_of((parent,))


def names_of(around):
    """List the names that functions, classes and assignments around give."""
    names = set()
    for node in around:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if hasattr(target, "id")}
    return names


def is_guarded(around, guarded_names):
    return bool(names_of(around) & guarded_names) or any(map(asks, around))


def asks(node):
    """Tell whether a node asks for the system before what stands in it is run."""
    if isinstance(node, (ast.If, ast.IfExp)):
        return asks_text(node.test)
    if isinstance(node, ast.BoolOp):
        return asks_text(node)
    if isinstance(node, ast.Try):
        return any(
            handler.type is None
            or re.search("Import|Attribute", ast.unparse(handler.type))
            for handler in node.handlers
        )
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        marks = any(map(asks_text, node.decorator_list))
        return marks or any(map(returns_early, node.body))
    if isinstance(node, ast.Module):
        return any(
            isinstance(one, ast.Assign)
            and "pytestmark" in names_of((one,))
            and asks_text(one)
            for one in node.body
        )
    return False


def asks_text(node):
    return GUARD.search(ast.unparse(node)) is not None


def returns_early(node):
    if isinstance(node, (ast.While, ast.For, ast.With)):
        return any(map(returns_early, node.body))
    if not (isinstance(node, ast.If) and asks_text(node.test)):
        return False
    last = node.body[-1]
    leaves = isinstance(last, (ast.Return, ast.Raise, ast.Continue))
    return leaves or "skip(" in ast.unparse(last)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_windows_lacks_is_guarded(path):
    if path.name in HELPERS or path == Path(__file__):
        return
    found = unguarded_in(path.read_text(encoding="utf-8"))
    expected = EXPECTED.get(path.name, [])
    assert not [
        f"line {line}: {what}" for what, line, _ in found if what not in expected
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_text_files_have_an_encoding(path):
    wrong = [
        f"line {node.lineno}: {ast.unparse(node)[:60]}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and lacks_encoding(node)
    ]
    assert not wrong


def lacks_encoding(call):
    if any(keyword.arg == "encoding" for keyword in call.keywords):
        return False
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    if name in TEXT_METHODS:
        return len(call.args) <= TEXT_METHODS[name]
    if name != "open":
        return False
    # Of other modules' functions, such as gzip.open, binary is what they open.
    owner = getattr(getattr(call.func, "value", None), "id", None)
    if owner in {"os", "gzip", "bz2", "lzma", "archive", "parts", "urllib"}:
        return False
    modes = [one.value for one in call.args if isinstance(one, ast.Constant)]
    modes += [k.value.value for k in call.keywords if k.arg == "mode"]
    return not any(isinstance(mode, str) and "b" in mode for mode in modes)


GUARDED = [
    "if hasattr(os, 'fork'):\n    os.fork()",
    "if sys.platform == 'linux' and os.getuid():\n    pass",
    "@posix\ndef test_it():\n    process.send_signal(signal.SIGINT)",
    "try:\n    import fcntl\nexcept ImportError:\n    fcntl = None",
    "def f():\n    if os.name == 'nt':\n        return\n    os.chown(1, 2, 3)",
    "def use():\n    os.fork()\n@posix\ndef test_it():\n    use()",
    "RUN = '''\nimport resource\n'''\n@posix\ndef test_it():\n    run(RUN)",
    "pytestmark = pytest.mark.skipif(os.name == 'nt')\nos.kill(1, signal.SIGKILL)",
]
UNGUARDED = [
    "os.fork()",
    "import resource",
    "from signal import SIGKILL",
    "def test_it():\n    process.send_signal(signal.SIGINT)",
    "def test_it(tmp_path):\n    (tmp_path / 'link').symlink_to('a')",
    "def use():\n    os.fork()\n@posix\ndef test_it():\n    use()\nuse()",
    "RUN = '''\nimport resource\n'''\ndef test_it():\n    run(RUN)",
    "open('/proc/self/status', encoding='ascii')",
    "if ready:\n    signal.alarm(3)",
]


def test_the_test_itself():
    for source in GUARDED:
        assert not unguarded_in(source), source
    for source in UNGUARDED:
        assert unguarded_in(source), source
