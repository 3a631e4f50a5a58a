import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  dockerFiles,
  formOf,
  imageLayout,
  sampleImage,
  tarOf,
} from '../../../registry/archives/archive-test-kit.ts';
import { fresh, path, type Uploaded, Uploads } from './uploads-test-kit.ts';

let uploads: Uploads;
before(async (t) => {
  uploads = await Uploads.open(t as never);
});

describe('compressed archives', () => {
  for (const [name, compress] of [
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)
    test(name, async () => {
      const sample = await sampleImage(`archive by ${name}`);
      const archive = compress(await tarOf(dockerFiles(sample)));
      const answer = await uploads.post(fresh(), formOf(archive, [['tag', 'v1']]));
      assert.equal(answer.status, 201);
      await uploads.expectSample((await answer.json()) as Uploaded, sample, 'v1');
    });
});

describe('progress', () => {
  test('is streamed to who accepts events, and ends with done', async () => {
    const archive = await tarOf(dockerFiles(await sampleImage('progress')));
    const answer = await uploads.post(fresh(), formOf(archive), { accept: 'text/event-stream' });
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type')!, /^text\/event-stream/);
    const events = (await answer.text())
      .trim()
      .split('\n\n')
      .map((event) => {
        const [name, data] = event.split('\n') as [string, string];
        return { name: name.slice(7), data: JSON.parse(data.slice(6)) };
      });
    const names = events.map(({ name }) => name);
    assert.ok(names.includes('received') && names.includes('layer'));
    const done = events.at(-1)!;
    assert.equal(done.name, 'done');
    assert.deepEqual(done.data.tags, ['v1']);
  });

  test('ends with error where it is refused, and the log has the refusal', async () => {
    const answer = await uploads.post(fresh(), formOf(Buffer.from('no tar')), {
      accept: 'text/event-stream',
    });
    const text = await answer.text();
    const [, data] = /event: error\ndata: (.*)\n\n$/.exec(text) ?? assert.fail(text);
    const error = JSON.parse(data!) as { status: number; code: string };
    assert.deepEqual([error.status, error.code], [400, 'INVALID']);
    const record = uploads.app.logged.findLast(({ level }) => level === 'audit');
    assert.equal(record?.result, 'invalid');
  });
});

describe('who may', () => {
  test('a token that may create: new tags, and no tag that is there', async () => {
    const create = await uploads.app.token('create');
    const repository = fresh();
    const archive = async (seed: string) =>
      formOf(await tarOf(imageLayout(await sampleImage(seed))));
    const first = await uploads.post(repository, await archive('A46'), {
      authorization: create.basic,
    });
    assert.equal(first.status, 201);
    const moved = await uploads.post(repository, await archive('A46 moved'), {
      authorization: create.basic,
    });
    assert.equal(moved.status, 403);
  });

  test('readers may not; strangers hear nothing', async () => {
    const read = await uploads.app.token('read');
    const form = formOf(await tarOf(imageLayout(await sampleImage('who'))));
    assert.equal((await uploads.post(fresh(), form, { authorization: read.basic })).status, 403);
    const none = await uploads.app.fetch(path(fresh()), { method: 'POST', body: form });
    assert.equal(none.status, 401);
  });

  test('a name that cannot be a repository is refused with one that can', async () => {
    const answer = await uploads.post(
      'Up',
      formOf(await tarOf(imageLayout(await sampleImage('name')))),
    );
    assert.equal(answer.status, 400);
    assert.match(((await answer.json()) as { hint: string }).hint, /acme\/shop\/up/);
  });
});
