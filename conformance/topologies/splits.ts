/** That requests of one upload went to several replicas is counted, not assumed. */
import type { Traffic } from '../tools/nginx.ts';

export interface Splits {
  /** Upload sessions that were asked for more than once after they had begun. */
  readonly uploads: number;
  /** Of these, those that more than one replica answered. */
  readonly split: number;
  /** Requests by the replica that answered. */
  readonly requests: ReadonlyMap<string, number>;
}

export function countSplits(traffic: readonly Traffic[]): Splits {
  const requests = new Map<string, number>();
  const sessions = new Map<string, string[]>();
  for (const { upstream, target } of traffic) {
    // What nginx answered by itself, it gave to none.
    if (upstream === '-') continue;
    requests.set(upstream, (requests.get(upstream) ?? 0) + 1);
    const session = /\/blobs\/uploads\/([^/?]+)/.exec(target)?.[1];
    if (session) sessions.set(session, [...(sessions.get(session) ?? []), upstream]);
  }
  const several = [...sessions.values()].filter((upstreams) => upstreams.length > 1);
  const split = several.filter((upstreams) => new Set(upstreams).size > 1).length;
  return { uploads: several.length, split, requests };
}
