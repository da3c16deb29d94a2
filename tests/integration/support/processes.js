/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says of a daemon and of the processes that decode for it.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** One field of /proc/PID/status, '' once the process is gone. */
export function statusOf(pid, field) {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(text)?.[1] ?? '';
  } catch {
    return '';
  }
}

/** The decoders of a daemon, in the order of their start. */
export function decodersOf(daemonPid) {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && Number(statusOf(pid, 'PPid')) === daemonPid)
    .filter(
      (pid) => statusOf(pid, 'Name') === 'danpool-decoder' && !/^Z/.test(statusOf(pid, 'State')),
    )
    .sort((a, b) => a - b);
}

/** The nice value of each thread of a process (proc(5): field 19 of its stat). */
export function nicesOf(pid) {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

export function descriptorsOf(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

const mib = (pid, field) => Number(/^(\d+) kB/.exec(statusOf(pid, field))?.[1] ?? 0) / 1024;

/** Looks at memory a few times a second until it is told to stop; the peaks are in MiB. */
export class MemoryWatch {
  /** @param {number} daemonPid */
  constructor(daemonPid) {
    this.daemonPid = daemonPid;
    this.daemonMib = 0;
    this.decoderMib = 0;
    this.timer = setInterval(() => this.#look(), 200);
  }

  #look() {
    this.daemonMib = Math.max(this.daemonMib, mib(this.daemonPid, 'VmRSS'));
    for (const pid of decodersOf(this.daemonPid)) {
      /* The highest it ever was, so that nothing between two looks is missed. */
      this.decoderMib = Math.max(this.decoderMib, mib(pid, 'VmHWM'));
    }
  }

  stop() {
    clearInterval(this.timer);
    this.#look();
    return this;
  }
}
