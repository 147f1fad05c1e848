// PIDs and reasons as control lines have them: by the names of nodes, never by this node's numbers.

import { NoProcess, NotConnected } from '../errors.js';
import type { SnowNode } from '../node.js';
import type { Process } from '../process.js';
import { type Json, members, Misfit, type Pid, pid as pidField, type Reason, reasonFromJson, reasonToJson } from '../wire/fields.js';

export class Pids {
  constructor(private readonly node: SnowNode) {}

  toJson({ node_id, creation, local, opaque = false }: Pid): Json {
    const { self, ids } = this.node;
    if (opaque) return { node: null, creation, local };
    if (node_id === 0 && creation === 0) return { node: self.name, creation: self.creation, local };
    return { node: ids.nameOf(node_id) ?? self.name, creation, local };
  }

  reasonToJson(reason: Reason): Json {
    return reasonToJson(reason, (pid) => this.toJson(pid));
  }

  reasonFromJson(json: unknown): Reason {
    return reasonFromJson(json, (pid) => this.fromJson(pid));
  }

  /**
   * The PID as the node holds it. One of a former run of this node is left as node id 0 with a creation: nobody is that.
   * Throws `NotConnected` when its node was never met.
   */
  fromJson(json: unknown): Pid {
    const pid = this.fromJsonIfMet(json);
    if (pid === undefined) throw new NotConnected('the node of the PID is not connected');
    return pid;
  }

  fromJsonIfMet(json: unknown): Pid | undefined {
    const { node, creation, local } = members(json);
    const { self, ids } = this.node;
    const read = (node_id: number): Pid => pidField.fromJson({ node_id, creation, local });
    if (node === null) return { ...read(0xffff), opaque: true };
    if (typeof node !== 'string') throw new Misfit('the node of a PID is missing');
    if (node === 'nonode@nohost' && creation === 0) return read(0);
    if (node === self.name) return creation === self.creation ? { ...read(0), creation: 0 } : read(0);
    const id = ids.of(node);
    const pid = read(id ?? 0);
    return id === undefined ? undefined : pid;
  }

  /** The live process of this node that is named. Throws `NoProcess`. */
  process(json: unknown): Process {
    const pid = this.fromJsonIfMet(json);
    const process = pid?.node_id === 0 && pid.creation === 0 ? this.node.processes.find(pid.local) : undefined;
    if (process === undefined) throw new NoProcess('the process is not alive');
    return process;
  }
}
