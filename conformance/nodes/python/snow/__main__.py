"""`python -m snow`: a node that is driven over standard input and output."""

import asyncio
import gc
import logging
import os
import sys

from .control import Control


async def main():
    def on_error(loop, context):  # whatever went wrong in a callback, the node lives on (FRAME-21)
        logging.getLogger("snow").error(context["message"], exc_info=context.get("exception"))

    asyncio.get_running_loop().set_exception_handler(on_error)
    await Control().run()


logging.basicConfig(
    stream=sys.stderr, level=os.environ.get("SNOW_LOG", "WARNING"), format="%(asctime)s %(levelname)s %(message)s"
)
gc.set_threshold(50_000, 20, 100)  # a table of a million names is no garbage: look through it less often
asyncio.run(main())
os._exit(0)  # at once: a name server that is still asked holds up nothing
