import type { LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';

/** Connections for the outbound guard. `lookupOf`: how the one to `target` finds its address. */
export function createOutboundAgent(
  lookupOf: (target: buildConnector.Options) => LookupFunction,
): Agent {
  return new Agent({
    connect: (target, callback) =>
      buildConnector({
        allowH2: false,
        maxCachedSessions: 0,
        timeout: 5000,
        lookup: lookupOf(target),
      } as buildConnector.BuildOptions)(target, callback),
  });
}
