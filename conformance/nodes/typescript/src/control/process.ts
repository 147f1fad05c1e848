// The methods of processes: capability `process`, and the two of `registry` that are about them.

import type { SnowNode } from '../node.js';
import { hex, Misfit } from '../wire/fields.js';
import { type Method, text } from './lines.js';
import type { Pids } from './pids.js';

export function processMethods(node: SnowNode, pids: Pids): Record<string, Method> {
  const { processes } = node;

  return {
    'process.spawn': (params) => {
      const name = text(params, 'function');
      const args = params.args === undefined ? Buffer.alloc(0) : hex(params.args);
      const at = params.node === undefined || params.node === null ? node.self.name : text(params, 'node');
      const link = params.link === true;
      const needsRequester = link || at !== node.self.name;
      if (needsRequester && params.from === undefined) throw new Misfit('from is missing');
      const requester = params.from === undefined || params.from === null ? undefined : pids.process(params.from);
      if (at === node.self.name) return { pid: pids.toJson(processes.spawn(name, args, link ? requester : undefined)) };
      if (requester === undefined) throw new Misfit('from is missing');
      return processes.spawnAt(at, name, args, requester, link).then((pid) => ({ pid: pids.toJson(pid) }));
    },

    'process.exit': (params) => {
      processes.end(pids.process(params.pid), pids.reasonFromJson(params.reason));
      return {};
    },

    'process.send': (params) => {
      const to = pids.fromJsonIfMet(params.to);
      const bytes = hex(params.bytes);
      if (to !== undefined && to.opaque !== true) processes.send(to, bytes);
      return {};
    },

    'process.send_named': (params) => {
      processes.sendNamed(text(params, 'node'), text(params, 'name'), hex(params.bytes));
      return {};
    },

    'process.register': (params) => {
      processes.register(pids.process(params.pid), text(params, 'name'));
      return {};
    },

    'process.alive': (params) => {
      const pid = pids.fromJson(params.pid);
      return { alive: pid.node_id === 0 && pid.creation === 0 && processes.isAlive(pid.local) };
    },

    'process.link': (params) => {
      processes.link(pids.process(params.pid), pids.fromJson(params.to));
      return {};
    },

    'process.unlink': (params) => {
      const to = pids.fromJsonIfMet(params.to);
      const process = pids.process(params.pid);
      if (to !== undefined) processes.unlink(process, to);
      return {};
    },

    'process.monitor': (params) => ({ ref: processes.monitor(pids.process(params.pid), pids.fromJson(params.target)).toString() }),

    'process.demonitor': (params) => {
      const ref = text(params, 'ref');
      const process = pids.process(params.pid);
      if (/^[0-9]{1,20}$/.test(ref)) processes.demonitor(process, BigInt(ref));
      return {};
    },

    'process.trap_exit': (params) => {
      pids.process(params.pid).trapsExits = params.enabled === true;
      return {};
    },

    'node.monitor': (params) => {
      processes.watchNode(pids.process(params.pid), text(params, 'node'));
      return {};
    },
  };
}
