/** What clients do while others push: pulls, lists page by page, logins, deletions, mounts. Through nginx. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, Registry } from '../../spec/client.ts';
import { content, fresh, manifest, mediaTypes } from '../../spec/content.ts';
import { octets } from '../../spec/push.ts';
import type { Load } from './load.ts';
import type { Topology } from './topology.ts';

const kinds = ['pull', 'tags', 'login', 'delete', 'mount', 'repositories'] as const;
type Kind = (typeof kinds)[number];

export class Traffic {
  /** How often each was done to its end. */
  readonly done: Record<Kind, number> = {
    ...{ pull: 0, tags: 0, login: 0, delete: 0, mount: 0, repositories: 0 },
  };
  /** Answers that should have been others. */
  readonly refused: Answer[] = [];
  /** Connections that broke. */
  broken = 0;
  readonly #deleted: string[] = [];
  readonly #world: Topology;
  readonly #load: Load;
  readonly #registry: Registry;
  readonly #work: Promise<void>;
  #wrong: unknown;
  #stopped = false;

  /** Asks for what `load` pushes. */
  constructor(world: Topology, load: Load) {
    this.#world = world;
    this.#load = load;
    this.#registry = world.registry();
    this.#work = Promise.all(kinds.map((kind) => this.#repeat(kind))).then(() => {});
  }

  /** Throws where an answer of success was wrong. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
    if (this.#wrong) throw this.#wrong;
  }

  /** Each kind is done `count` times more. */
  async more(count: number, withinMs: number): Promise<void> {
    const goals = kinds.map((kind) => [kind, this.done[kind] + count] as const);
    const deadline = performance.now() + withinMs;
    while (goals.some(([kind, goal]) => this.done[kind] < goal)) {
      if (this.#wrong) throw this.#wrong;
      const so = JSON.stringify(this.done);
      assert.ok(performance.now() < deadline, `not ${count} of each in ${withinMs} ms: ${so}`);
      await delay(20);
    }
  }

  /** What was deleted stays away. */
  async check(): Promise<void> {
    for (const path of this.#deleted) {
      const { status } = await this.#registry.get(path);
      assert.equal(status, 404, path);
    }
  }

  async #repeat(kind: Kind): Promise<void> {
    while (!this.#stopped && !this.#wrong) {
      try {
        if (this.#load.acknowledged.length > 0 && (await this[kind]())) this.done[kind] += 1;
      } catch (error) {
        if (error instanceof assert.AssertionError) this.#wrong ??= error;
        else this.broken += 1;
      }
      await delay(100);
    }
  }

  async #ask(
    status: number,
    method: string,
    target: string,
    options: Parameters<Registry['ask']>[2] = {},
    registry = this.#registry,
  ): Promise<Answer | undefined> {
    const answer = await registry.ask(method, target, { ...options, check: false });
    if (answer.status === status) return answer;
    this.refused.push(answer);
    return undefined;
  }

  #any() {
    const { acknowledged } = this.#load;
    return acknowledged[Math.floor(Math.random() * acknowledged.length)]!;
  }

  private async pull(): Promise<boolean> {
    const { repository, tag, manifest: image, blobs } = this.#any();
    const got = await this.#ask(200, 'GET', `/v2/${repository}/manifests/${tag}`);
    if (!got) return false;
    assert.ok(got.body.equals(image.bytes), `${tag}: another manifest`);
    for (const blob of blobs) {
      const bytes = await this.#ask(200, 'GET', `/v2/${repository}/blobs/${blob.digest}`);
      if (!bytes) return false;
      assert.ok(bytes.body.equals(blob.bytes), `${blob.digest}: other bytes`);
    }
    return true;
  }

  /** Each page is asked of the next replica. */
  private async tags(): Promise<boolean> {
    const { repository } = this.#any();
    const known = this.#load.acknowledged.filter((one) => one.repository === repository);
    const listed = new Set<string>();
    let page: string | undefined = `/v2/${repository}/tags/list?n=4`;
    while (page) {
      const answer: Answer | undefined = await this.#ask(200, 'GET', page);
      if (!answer) return false;
      for (const tag of (answer.json() as { tags: string[] }).tags) listed.add(tag);
      page = answer.nextPage();
    }
    for (const { tag } of known) assert.ok(listed.has(tag), `${repository} lists ${tag}`);
    return true;
  }

  private async login(): Promise<boolean> {
    const { repository, tag } = this.#any();
    const query = { service: 'gantry', scope: `repository:${repository}:pull` };
    const signed = await this.#ask(200, 'GET', '/token', { query });
    if (!signed) return false;
    const { token } = signed.json() as { token: string };
    const asked = new Registry(this.#world.origin, `Bearer ${token}`);
    try {
      for (let at = 0; at < 2; at++) {
        const path = `/v2/${repository}/manifests/${tag}`;
        if (!(await this.#ask(200, 'HEAD', path, {}, asked))) return false;
      }
    } finally {
      asked.close();
    }
    return true;
  }

  private async delete(): Promise<boolean> {
    const repository = `${this.#world.project}/deleted`;
    const empty = content('{}', mediaTypes.empty);
    const query = { digest: empty.digest };
    const begin = `/v2/${repository}/blobs/uploads/`;
    const blob = { query, headers: octets, body: empty.bytes };
    if (!(await this.#ask(201, 'POST', begin, blob))) return false;
    const image = manifest(mediaTypes.manifest, {
      ...{ config: empty.descriptor, layers: [], annotations: { at: fresh('d') } },
    });
    const path = `/v2/${repository}/manifests/${image.digest}`;
    const put = { headers: { 'content-type': image.descriptor.mediaType }, body: image.bytes };
    if (!(await this.#ask(201, 'PUT', path, put))) return false;
    if (!(await this.#ask(200, 'GET', path))) return false;
    if (!(await this.#ask(202, 'DELETE', path))) return false;
    this.#deleted.push(path);
    return (await this.#ask(404, 'GET', path)) !== undefined;
  }

  private async mount(): Promise<boolean> {
    const { repository, blobs } = this.#any();
    const query = { mount: blobs[0]!.digest, from: repository };
    const into = `/v2/${this.#world.project}/mounted`;
    if (!(await this.#ask(201, 'POST', `${into}/blobs/uploads/`, { query }))) return false;
    const got = await this.#ask(200, 'GET', `${into}/blobs/${blobs[0]!.digest}`);
    if (!got) return false;
    assert.ok(got.body.equals(blobs[0]!.bytes), 'other bytes where it was mounted');
    return true;
  }

  /** The API's own lists, each page of the next replica. */
  private async repositories(): Promise<boolean> {
    const known = new Set(this.#load.acknowledged.map((one) => one.repository.split('/').at(-1)));
    const { teamSlug, projectSlug } = this.#world.bootstrap;
    const path = `/api/v1/teams/${teamSlug}/projects/${projectSlug}/repositories`;
    const names = new Set<string>();
    let cursor: string | null = null;
    do {
      const query = { sort: 'name', limit: '2', ...(cursor !== null && { cursor }) };
      const answer: Answer | undefined = await this.#ask(200, 'GET', path, { query });
      if (!answer) return false;
      const page = answer.json() as { items: { name: string }[]; next: string | null };
      for (const { name } of page.items) names.add(name);
      cursor = page.next;
    } while (cursor !== null);
    for (const name of known) assert.ok(names.has(name!), `the API lists ${name}`);
    return true;
  }
}
