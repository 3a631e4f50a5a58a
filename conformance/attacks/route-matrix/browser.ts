import assert from 'node:assert/strict';
import type { Asker } from './ask.ts';
import type { CallerName } from './callers.ts';

/** What a browser sends that has just signed in with `token`: a new session each time. */
export async function browserHeaders(
  asker: Asker,
  token: string,
  caller: CallerName,
): Promise<Record<string, string>> {
  const { status, headers, body } = await asker.ask({
    ...{ method: 'POST', target: '/api/v1/session', body: JSON.stringify({ token }) },
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(status, 201, body);
  const cookie = headers['set-cookie']!.split(';', 1)[0]!;
  const { csrfToken } = JSON.parse(body) as { csrfToken: string };
  return {
    cookie,
    'sec-fetch-site': caller === 'session-cross-site' ? 'cross-site' : 'same-origin',
    ...(caller !== 'session-no-csrf' && { 'x-csrf-token': csrfToken }),
  };
}
