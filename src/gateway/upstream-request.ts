import type { IncomingMessage } from 'node:http';
import type { ActivationTarget, InstanceLease } from '../scheduler/activation.ts';
import type { ContractRequest } from '../scheduler/contracts/contract.ts';
import { cleanRequestHeaders } from './request-headers.ts';
import type { AnswerPlace } from './response-headers.ts';

/** A request and what the gateway found out about it. */
export interface Placed {
  readonly target: ActivationTarget;
  readonly request: ContractRequest;
  readonly place: AnswerPlace;
}

/** Headers for the container, as pairs in one list; nothing of the body's length. */
export function upstreamHeaders(
  req: IncomingMessage,
  { request, place }: Placed,
  lease: InstanceLease,
): string[] {
  const headers = cleanRequestHeaders(
    req.rawHeaders,
    req.headers.connection,
    place.isReservedCookie,
  );
  const said = lease.contract.requestHeaders(request, lease.place, lease.credentials);
  for (const name in said) headers.push(name, said[name]!);
  if (!('host' in said)) headers.push('host', request.host);
  if (place.prefix !== undefined) headers.push('x-forwarded-prefix', place.prefix);
  return headers;
}

/** Server-Timing of a cold answer: milliseconds. */
export function serverTiming(stages: {
  readonly queue: number;
  readonly pull: number;
  readonly create: number;
  readonly boot: number;
  readonly app: number;
}): string {
  const names = ['queue', 'pull', 'create', 'boot', 'app'] as const;
  return names.map((name) => `${name};dur=${stages[name].toFixed(1)}`).join(', ');
}
