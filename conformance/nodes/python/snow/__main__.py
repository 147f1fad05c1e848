"""`python -m snow`: a node that is driven over standard input and output."""

import asyncio
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
asyncio.run(main())
os._exit(0)  # at once: a name server that is still asked holds up nothing
