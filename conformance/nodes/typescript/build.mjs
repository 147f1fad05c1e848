// Builds the node, and nothing when nothing has changed since: `npm ci` when the lock file has, the compiler when anything has.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(fileURLToPath(import.meta.url)));

function stamp(paths) {
  const hash = createHash('sha256').update(process.version);
  for (const path of paths) hash.update(path).update('\0').update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

function once(file, value, build) {
  if (existsSync(file) && readFileSync(file, 'utf8') === value) return;
  build();
  writeFileSync(file, value);
}

const sources = ['src', 'test'].flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)));
const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 2, 2] });

const packages = ['package.json', 'package-lock.json'];
once('node_modules/.stamp', stamp(packages), () => run('npm', 'ci', '--no-audit', '--no-fund'));
once('dist/.stamp', stamp([...packages, 'tsconfig.json', ...sources.filter((path) => path.endsWith('.ts')).sort()]), () =>
  run('node_modules/.bin/tsc', '-p', '.'),
);
