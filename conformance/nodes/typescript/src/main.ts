// The program: control lines on standard input and output, logs on standard error, one node.

import { Adapter } from './control/adapter.js';
import { Lines } from './control/lines.js';

// Looking up the hosts of 8 dials must not hold up others (MEM-14).
process.env.UV_THREADPOOL_SIZE ??= '16';

const adapter = new Adapter();
const lines = new Lines((line) => adapter.rpc.receive(line));
process.stdin.on('data', (chunk: Buffer) => lines.push(chunk));
process.stdin.on('end', () => adapter.stop());
