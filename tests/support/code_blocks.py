"""The blocks of code that a page shows, and running them."""

import contextlib
import doctest
import io
import re
import textwrap

DIRECTIVE = re.compile(r"^( *)\.\. (?:code-block|code|sourcecode):: *(\S*) *$")


def rst_blocks(text):
    """Yield the language and the code of each block of a page."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not (start := DIRECTIVE.match(line)):
            continue
        inside = []
        for below in lines[number + 1 :]:
            if below.strip() and not below.startswith(start[1] + " "):
                break
            inside.append(below)
        block = textwrap.dedent("\n".join(inside)).strip("\n") + "\n"
        options, _, code = block.partition("\n\n")
        yield start[2], code if options.startswith(":") else block


def blocks_of(path):
    """List the language and the code of each block of a page."""
    text = path.read_text("utf-8")
    if path.suffix == ".rst":
        return list(rst_blocks(text))
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run_blocks(path):
    """Run the blocks of Python one after the other, and compare what they print.

    A block of text that follows one of Python is what that prints.

    Returns
    -------
    names : dict
        All that the blocks have defined.
    """
    names: dict = {"__name__": path.stem}
    printed = None
    for language, code in blocks_of(path):
        if language == "text" and printed is not None:
            assert printed == code, path
        printed = None
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile(code, str(path), "exec"), names)
            printed = output.getvalue()
        elif language == "pycon":
            test = doctest.DocTestParser().get_doctest(code, names, path.stem, None, 0)
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            assert runner.run(test, clear_globs=False).failed == 0, path
            names.update(test.globs)
    return names
