import type { CommandName, Commands, CommandWriter } from '../ports/commands.ts';
import type { Fence } from '../ports/leases.ts';
import type { RateLimiters, RateState } from '../ports/rate-limiter.ts';
import { TableClaims, type Taken } from '../registry/claim-table.ts';
import type { Claims } from '../registry/upload-claims.ts';
import type { Channel } from './channel.ts';
import type { LimitArgs, RunArgs } from './messages.ts';

/** What a worker has of the primary, behind the ports that the rest knows. */
export interface PrimaryLink {
  /** The primary's writer: commands of all workers share its transactions. */
  readonly writer: CommandWriter;
  readonly limiters: RateLimiters;
  readonly claims: Claims;
  /** Bytes are to be removed. */
  discarded(): void;
  /** Layers are to be measured. */
  pushed(): void;
}

export function linkOf(channel: Channel): PrimaryLink {
  let limiters = 0;
  return {
    writer: {
      run<N extends CommandName>(name: N, args: Commands[N]['args'], fence?: Fence) {
        const command: RunArgs = { name, args, fence };
        return channel.call<Commands[N]['result']>('run', command);
      },
    },
    limiters() {
      const limiter = limiters++;
      const ask =
        <T>(what: 'consume' | 'peek') =>
        (key: string) =>
          channel.call<T>(what, { limiter, key } satisfies LimitArgs);
      return { consume: ask<RateState>('consume'), peek: ask<RateState | undefined>('peek') };
    },
    claims: new TableClaims({
      begun: (id) => channel.tell('begun', id),
      take: (id) => channel.call<Taken>('claim', id),
      // Where there is no room for another question, it is told without waiting for the answer.
      release: (id) => channel.call<void>('release', id).catch(() => channel.tell('release', id)),
    }),
    discarded: () => channel.tell('discarded', undefined),
    pushed: () => channel.tell('pushed', undefined),
  };
}
