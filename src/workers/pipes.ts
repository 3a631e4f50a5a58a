import type { ChildProcess } from 'node:child_process';
import type { Pipe } from './channel.ts';

/** The channel of a forked process, or of this one to who forked it, as `serialization: 'advanced'` makes it. */
export function pipeOf(end: ChildProcess | NodeJS.Process): Pipe {
  return {
    send(messages) {
      // What can no longer be sent is answered by `ended`.
      if (end.connected) end.send!(messages, undefined, undefined, () => {});
    },
    receive(listener) {
      (end as NodeJS.EventEmitter).on('message', (messages: unknown) => {
        if (Array.isArray(messages)) listener(messages as Uint8Array[]);
      });
    },
    ended(listener) {
      (end as NodeJS.EventEmitter).once('disconnect', listener);
    },
  };
}
