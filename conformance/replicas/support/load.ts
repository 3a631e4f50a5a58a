/** Clients that push images for as long as they are let, and remember what was acknowledged. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expectStatus } from '../../spec/check.ts';
import { type Answer, addQuery, type Registry } from '../../spec/client.ts';
import { type Content, content, imageConfig, manifest, mediaTypes } from '../../spec/content.ts';
import { octets, pushBlob, putManifest } from '../../spec/push.ts';

/** What is pushed to. */
export interface Loaded {
  readonly project: string;
  registry(): Registry;
}

interface Pushed {
  readonly repository: string;
  readonly tag: string;
  readonly manifest: Content;
  readonly blobs: readonly Content[];
}

export class Load {
  readonly acknowledged: Pushed[] = [];
  /** Images whose push was refused or broke. */
  readonly failed: Pushed[] = [];
  /** Blobs whose push was answered with 201, whether or not their image came to be. */
  readonly stored: { repository: string; blob: Content }[] = [];
  /** Answers other than those of success, by status. */
  readonly refused: Answer[] = [];
  /** Connections that broke. */
  broken = 0;
  readonly #world: Loaded;
  readonly #work: Promise<void>[];
  #stopped = false;

  constructor(world: Loaded, clients: number, name: string) {
    this.#world = world;
    this.#work = Array.from({ length: clients }, (_, at) => this.#client(`${name}-${at}`));
  }

  /** Resolves once `count` more images were acknowledged. */
  async more(count: number, withinMs: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    const deadline = performance.now() + withinMs;
    while (this.acknowledged.length < goal) {
      assert.ok(performance.now() < deadline, `no ${count} pushes within ${withinMs} ms`);
      await delay(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#work);
  }

  /** All that was acknowledged is served, byte by byte. */
  async check(): Promise<void> {
    const registry = this.#world.registry();
    for (const { repository, blob } of this.stored) {
      const got = expectStatus(await registry.get(`/v2/${repository}/blobs/${blob.digest}`), 200);
      assert.ok(got.body.equals(blob.bytes), `${blob.digest}: other bytes`);
    }
    for (const { repository, tag, manifest: image } of this.acknowledged) {
      const got = expectStatus(await registry.get(`/v2/${repository}/manifests/${tag}`), 200);
      assert.ok(got.body.equals(image.bytes), `${tag}: other bytes`);
    }
  }

  /** What failed is pushed again, as clients do, and is acknowledged then. */
  async retry(): Promise<void> {
    const registry = this.#world.registry();
    for (const one of this.failed.splice(0)) {
      for (const blob of one.blobs) {
        expectStatus(await pushBlob(registry, one.repository, blob, 'post-put'), 201);
        this.stored.push({ repository: one.repository, blob });
      }
      expectStatus(await putManifest(registry, one.repository, one.tag, one.manifest), 201);
      this.acknowledged.push(one);
    }
  }

  async #client(name: string): Promise<void> {
    const registry = this.#world.registry();
    const repository = `${this.#world.project}/${name}`;
    for (let at = 0; !this.#stopped; at++) {
      const image = makeImage(repository, `t${at}`);
      try {
        if (await this.#push(registry, image)) continue;
      } catch {
        this.broken += 1;
      }
      this.failed.push(image);
      await delay(50);
    }
  }

  async #push(registry: Registry, image: Pushed): Promise<boolean> {
    const { repository, tag, blobs, manifest } = image;
    for (const blob of blobs) {
      if (!(await this.#blob(registry, repository, blob))) return false;
      this.stored.push({ repository, blob });
    }
    const put = await registry.ask('PUT', `/v2/${repository}/manifests/${tag}`, {
      ...{ headers: { 'content-type': manifest.descriptor.mediaType }, body: manifest.bytes },
      check: false,
    });
    if (!this.#took(put, 201)) return false;
    this.acknowledged.push(image);
    return true;
  }

  /** In two chunks: nginx gives them to one replica or the other. */
  async #blob(registry: Registry, repository: string, blob: Content): Promise<boolean> {
    const begun = await registry.ask('POST', `/v2/${repository}/blobs/uploads/`, { check: false });
    if (!this.#took(begun, 202)) return false;
    const half = blob.bytes.length >> 1;
    const sent = await registry.ask('PATCH', begun.location(), {
      ...{ headers: octets, body: blob.bytes.subarray(0, half), check: false },
    });
    if (!this.#took(sent, 202)) return false;
    const target = addQuery(sent.location(), { digest: blob.digest });
    const rest = { headers: octets, body: blob.bytes.subarray(half), check: false };
    return this.#took(await registry.ask('PUT', target, rest), 201);
  }

  #took(answer: Answer, status: number): boolean {
    if (answer.status === status) return true;
    this.refused.push(answer);
    return false;
  }
}

/** Of bytes that no other has. */
function makeImage(repository: string, tag: string): Pushed {
  const base = content(randomBytes(200_000), mediaTypes.layer);
  const config = imageConfig([base.digest]);
  const image = manifest(mediaTypes.manifest, {
    config: config.descriptor,
    layers: [base.descriptor],
  });
  return { repository, tag, manifest: image, blobs: [base, config] };
}
