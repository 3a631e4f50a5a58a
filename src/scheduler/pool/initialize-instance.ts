import { type Dispatcher, request } from 'undici';
import type { Contract, ContractPlace, RoleCredentials } from '../contracts/contract.ts';

/** Of an answer that refuses, as much as people are shown. */
const shown = 500;

/**
 * function-compute's `/initialize`, once in each instance before its first request. Rejects with what the
 * container answered, where that was no success.
 */
export async function initializeInstance(at: {
  readonly id: string;
  readonly origin: string;
  readonly dispatcher: Dispatcher;
  readonly contract: Contract;
  readonly place: ContractPlace;
  readonly credentials: RoleCredentials;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { origin, dispatcher, contract, place, credentials, signal } = at;
  const path = '/initialize';
  const headers = contract.requestHeaders(
    {
      ...{ id: at.id, method: 'POST', path, host: place.host },
      ...{ proto: 'http', address: '127.0.0.1', kind: 'initialize' },
    },
    place,
    credentials,
  );
  const {
    statusCode,
    headers: answered,
    body,
  } = await request(`${origin}${path}`, {
    ...{ method: 'POST', dispatcher, headers, signal },
  });
  let text = '';
  for await (const chunk of body) {
    if (text.length < shown) text += String(chunk);
  }
  const flat: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(answered)) {
    flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  if (statusCode < 400 && !contract.isFunctionError(statusCode, flat)) return;
  throw new Error(`POST ${path} answered ${statusCode}: ${text.slice(0, shown)}`);
}
