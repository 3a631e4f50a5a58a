import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type File,
  imageLayout,
  sampleImage,
  tarOf,
} from '../../src/registry/archives/archive-test-kit.ts';
import { expectStatus } from '../spec/check.ts';
import { fresh } from '../spec/content.ts';
import type { Fixture } from '../spec/fixture.ts';
import { requestLines, type WireAnswer, withWire } from './wire.ts';

export const boundary = '----gantry';
export const multipart = `multipart/form-data; boundary=${boundary}`;

export const part = (disposition: string, bytes: Uint8Array | string = ''): Buffer =>
  Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data${disposition}\r\n\r\n`),
    Buffer.from(bytes as string),
    Buffer.from('\r\n'),
  ]);
export const end = Buffer.from(`--${boundary}--\r\n`);
export const image = (bytes: Uint8Array | string): Buffer =>
  part('; name="image"; filename="image.tar"', bytes);

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export const good = async () => imageLayout(await sampleImage('form'));

/** Forms to one server, written byte by byte. */
export class Forms {
  readonly #fixture: Fixture;

  constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  target(repository: string): string {
    const { teamSlug, projectSlug } = this.#fixture.server.bootstrap;
    return `/api/v1/teams/${teamSlug}/projects/${projectSlug}/repositories/${repository}/uploads`;
  }

  /** Sends a form; the server lives on, nothing stays on its disk, and the repository has no tag and no manifest. */
  async send(body: Uint8Array, headers: Record<string, string> = {}, tag = 'v1'): Promise<Refusal> {
    const repository = fresh('form');
    const answer = await withWire(this.#fixture.server.origin, async (wire) => {
      const lines = requestLines(this.#fixture.server.origin, 'POST', this.target(repository), {
        Authorization: this.#fixture.registry.authorization!,
        'Content-Type': multipart,
        'Content-Length': String(body.length),
        ...headers,
      });
      void wire.send(lines, body);
      return wire.answer(30_000);
    });
    assert.ok(answer, 'no answer at all');
    await this.expectNothing(repository, tag);
    return shapeOf(answer);
  }

  async expectNothing(repository: string, tag = 'v1'): Promise<void> {
    const { registry, server } = this.#fixture;
    const { teamSlug, projectSlug } = server.bootstrap;
    expectStatus(await registry.get('/healthz'), 200);
    const name = `${teamSlug}/${projectSlug}/${repository}`;
    expectStatus(await registry.get(`/v2/${name}/manifests/${tag}`), 404);
    const tags = await registry.get(`/v2/${name}/tags/list`);
    if (tags.status !== 404) assert.deepEqual((tags.json() as { tags: string[] }).tags, []);
    assert.deepEqual(
      await readdir(join(server.dataFolder, 'spool')),
      [],
      'an archive stays on disk',
    );
  }

  sendArchive(archive: Uint8Array, ...fields: Buffer[]): Promise<Refusal> {
    return this.send(Buffer.concat([image(archive), ...fields, end]));
  }

  async sendFiles(files: readonly File[]): Promise<Refusal> {
    return this.sendArchive(await tarOf(files));
  }

  async spoolHas(count: number): Promise<void> {
    const deadline = Date.now() + 10_000;
    const folder = join(this.#fixture.server.dataFolder, 'spool');
    while ((await readdir(folder)).length !== count) {
      assert.ok(Date.now() < deadline, `the spool does not come to ${count} files`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function shapeOf(answer: WireAnswer): Refusal {
  const body = JSON.parse(answer.body.toString()) as Omit<Refusal, 'status'>;
  assert.deepEqual(Object.keys(body).sort(), ['code', 'hint', 'message']);
  return { status: answer.status, ...body };
}

export function expectRefusal(refusal: Refusal, status: number, text: RegExp): void {
  assert.equal(refusal.status, status, JSON.stringify(refusal));
  assert.match(`${refusal.message} ${refusal.hint}`, text);
}
