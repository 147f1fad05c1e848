// The methods of capability `supervisor`.

import { NoProcess } from '../errors.js';
import type { SnowNode } from '../node.js';
import type { ChildSpec, Strategy, Supervisor } from '../supervisor.js';
import { hex, members, Misfit } from '../wire/fields.js';
import { type Method, type Params, text } from './lines.js';
import type { Pids } from './pids.js';

const STRATEGIES: Strategy[] = ['one_for_one', 'one_for_all', 'rest_for_one', 'simple_one_for_one'];
const RESTARTS: ChildSpec['restart'][] = ['permanent', 'transient', 'temporary'];

function oneOf<T extends string>(params: Params, name: string, known: T[]): T {
  const found = known.find((each) => each === params[name]);
  if (found === undefined) throw new Misfit(`${name} is none of ${known.join(', ')}`);
  return found;
}

function count(params: Params, name: string): number {
  const value = params[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw new Misfit(`${name} is no count`);
  return value;
}

export function supervisorMethods(node: SnowNode, pids: Pids): Record<string, Method> {
  const child = (json: unknown): ChildSpec => {
    const params = members(json);
    const at = params.node === undefined || params.node === null ? node.self.name : text(params, 'node');
    return {
      id: text(params, 'id'),
      function: text(params, 'function'),
      args: params.args === undefined || params.args === null ? Buffer.alloc(0) : hex(params.args),
      restart: oneOf(params, 'restart', RESTARTS),
      node: at === node.self.name ? undefined : at,
    };
  };

  const supervisor = (json: unknown): Supervisor => {
    const found = node.supervisor(pids.process(json).local);
    if (found === undefined) throw new NoProcess('the process is no supervisor');
    return found;
  };

  return {
    'supervisor.start': (params) => {
      if (!Array.isArray(params.children)) throw new Misfit('children are missing');
      const started = node.supervise({
        strategy: oneOf(params, 'strategy', STRATEGIES),
        maxRestarts: count(params, 'max_restarts'),
        maxSeconds: count(params, 'max_seconds'),
        children: params.children.map(child),
      });
      return started.start().then((pid) => ({ pid: pids.toJson(pid) }));
    },

    'supervisor.start_child': (params) => {
      const args = params.args === undefined || params.args === null ? undefined : hex(params.args);
      return supervisor(params.supervisor)
        .startChild(args)
        .then((pid) => ({ pid: pids.toJson(pid) }));
    },

    'supervisor.children': (params) => ({
      children: supervisor(params.supervisor)
        .children()
        .map(({ id, pid }) => ({ id, pid: pid === undefined ? null : pids.toJson(pid) })),
    }),

    'supervisor.stop': async (params) => {
      await supervisor(params.supervisor).stop();
      return {};
    },
  };
}
