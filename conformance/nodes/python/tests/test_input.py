"""The node ends when its input does, whatever that is: a pipe, a file, nothing at all."""

import pathlib
import subprocess
import sys
import unittest

NODE = pathlib.Path(__file__).resolve().parent.parent


class EndOfInput(unittest.TestCase):
    def ends(self, **stdin):
        ended = subprocess.run([sys.executable, "-m", "snow"], cwd=NODE, stdout=subprocess.PIPE, timeout=60, check=False, **stdin)
        self.assertEqual(ended.returncode, 0)
        return ended.stdout

    def test_no_input_at_all(self):
        self.assertEqual(self.ends(stdin=subprocess.DEVNULL), b"")

    def test_a_file_is_answered_to_its_end(self):
        with open(__file__, "rb") as lines:
            self.assertIn(b'"error"', self.ends(stdin=lines))

    def test_a_pipe_that_is_closed(self):
        self.assertEqual(self.ends(input=b""), b"")


if __name__ == "__main__":
    unittest.main()
