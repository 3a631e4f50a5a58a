import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Answer } from '../spec/client.ts';
import { useServer } from '../spec/fixture.ts';

const fixture = useServer({ env: { GANTRY_LOG_LEVEL: 'debug' } });
const word = (prefix: string) => `${prefix}${randomBytes(18).toString('hex')}`;

/** As JSON, as base64 and in hex: a value may turn up in another dress. */
const dresses = (secret: string): string[] => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
];

async function ask(method: string, path: string, body?: unknown): Promise<Answer> {
  return fixture.registry
    .as(`Bearer ${fixture.server.bootstrap.token}`)
    .ask(method, `/api/v1${path}`, {
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json', 'idempotency-key': word('k') },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
      check: false,
    });
}

async function files(): Promise<Map<string, string>> {
  const { dataFolder } = fixture.server;
  const found = new Map<string, string>();
  for (const entry of await readdir(dataFolder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name === 'bootstrap.json') continue;
    const path = join(entry.parentPath, entry.name);
    found.set(path, await readFile(path, 'latin1'));
  }
  return found;
}

describe('A49: what is kept secret for a project', () => {
  test('A49: a secret comes back nowhere: answers, errors, log, audit and files', async () => {
    const { teamSlug, projectSlug } = fixture.server.bootstrap;
    const project = `/teams/${teamSlug}/projects/${projectSlug}`;
    const canary = word('canary');
    const answers: Answer[] = [];
    const send = async (wanted: number, method: string, path: string, body?: unknown) => {
      const answer = await ask(method, `${project}${path}`, body);
      assert.equal(answer.status, wanted, `${answer.what}: ${answer.text()}`);
      answers.push(answer);
    };
    await send(201, 'PUT', '/secrets/KEY', { value: canary });
    await send(200, 'PUT', '/secrets/KEY', { value: `${canary}${canary}` });
    await send(200, 'GET', '/secrets');
    await send(200, 'GET', '/secrets/KEY');
    // Refused in every way that a value can be wrong.
    await send(400, 'PUT', '/secrets/KEY', { value: canary.repeat(2000) });
    await send(400, 'PUT', '/secrets/KEY', { value: [canary] });
    await send(400, 'PUT', '/secrets/KEY', { value: canary, version: canary });
    await send(400, 'PUT', '/secrets/KEY', `{"value": "${canary}"`);
    await send(400, 'PUT', '/secrets/1KEY', { value: canary });
    await send(404, 'PUT', 'x/secrets/KEY', { value: canary });
    await send(204, 'DELETE', '/secrets/KEY');
    await send(404, 'GET', '/secrets/KEY');
    await send(201, 'PUT', '/secrets/KEY', { value: canary });

    const audit = await ask('GET', `/teams/${teamSlug}/audit`);
    answers.push(audit);
    const places = new Map<string, string>([
      ['the log', fixture.server.output()],
      ...(await files()),
      ...answers.map((answer, index): [string, string] => [
        `answer ${index}: ${answer.what}`,
        `${answer.rawHeaders.map((header) => header.join(': ')).join('\n')}\n${answer.text()}`,
      ]),
    ]);
    const found = [...places].flatMap(([place, text]) =>
      dresses(canary).some((dress) => text.includes(dress)) ? [place] : [],
    );
    assert.deepEqual(found, []);
  });

  test('A49: a variable comes back to who may set it, and is sealed where it lies', async () => {
    const { teamSlug, projectSlug } = fixture.server.bootstrap;
    const path = `/teams/${teamSlug}/projects/${projectSlug}/env/production/KEY`;
    const canary = word('canary');
    assert.equal((await ask('PUT', path, { value: canary })).status, 201);
    assert.equal(((await ask('GET', path)).json() as { value: string }).value, canary);
    const places = new Map([['the log', fixture.server.output()], ...(await files())]);
    assert.ok([...places.keys()].some((place) => place.endsWith('gantry.db-wal')));
    const found = [...places].flatMap(([place, text]) =>
      dresses(canary).some((dress) => text.includes(dress)) ? [place] : [],
    );
    assert.deepEqual(found, []);
  });
});
