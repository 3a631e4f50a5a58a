/** Clients that push, pull and delete images of shared layers for as long as they are let, and what went wrong. */
import { digestOf } from '../../../src/oci/digest.ts';
import { ociConfig, ociIndex, ociManifest } from '../../../src/oci/media-types.ts';
import { Random } from './random.ts';

export interface SoakAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly bytes: Buffer;
}

/** Sends a request; `path` begins with /v2/. Rejects where no answer came. */
export type SoakAsk = (
  method: string,
  path: string,
  body?: Buffer,
  type?: string,
) => Promise<SoakAnswer>;

export interface SoakOptions {
  readonly ask: SoakAsk;
  /** `team/project`. */
  readonly project: string;
  readonly clients: number;
  readonly over: () => boolean;
}

const layerType = 'application/vnd.oci.image.layer.v1.tar';
export const soakRepositories = ['one', 'two', 'three'] as const;
const layers = Array.from({ length: 24 }, (_, index) => Buffer.from(`layer ${index} `.repeat(50)));

interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Each list should be empty at the end, `counts` not. */
export class SoakTraffic {
  readonly failedPushes: string[] = [];
  readonly failedOthers: string[] = [];
  /** Manifests that are there, and a blob of theirs is not. */
  readonly dangling: string[] = [];
  readonly wrongBytes: string[] = [];
  readonly counts = { pushed: 0, indexes: 0, referrers: 0, mounted: 0, pulled: 0, deleted: 0 };
  readonly #options: SoakOptions;

  constructor(options: SoakOptions) {
    this.#options = options;
  }

  get problems(): readonly string[] {
    const { failedPushes, failedOthers, dangling, wrongBytes } = this;
    return [...failedPushes, ...failedOthers, ...dangling, ...wrongBytes];
  }

  /** Until it is over. */
  async run(): Promise<void> {
    const { clients, over } = this.#options;
    await Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        const random = new Random(`soak ${client}`);
        for (let round = 0; !over(); round++) await this.#round(random, client, round);
      }),
    );
  }

  /** Pulls all that is tagged, whole. */
  async pullAll(): Promise<void> {
    for (const repository of soakRepositories) {
      for (const tag of this.#tags()) await this.#pull(repository, tag);
    }
  }

  async #round(random: Random, client: number, round: number): Promise<void> {
    const repository = random.pick(soakRepositories)!;
    const what = random.weighted({ image: 3, index: 1, referrer: 1, pull: 4, remove: 2 });
    const pushes = what === 'image' || what === 'index' || what === 'referrer';
    const began = performance.now();
    try {
      if (what === 'pull') await this.#pull(repository, random.pick(this.#tags())!);
      else if (what === 'remove') await this.#remove(repository, random.pick(this.#tags())!);
      else if (what === 'index') await this.#pushIndex(random, repository, client, round);
      else if (what === 'referrer') await this.#pushReferrer(random, repository, client, round);
      else await this.#pushImage(random, repository, `t${client}`, `${client} ${round}`);
    } catch (error) {
      const took = `after ${Math.round(performance.now() - began)} ms`;
      const text = `${what} by client ${client} in round ${round}, ${took}: ${(error as Error).message}`;
      (pushes ? this.failedPushes : this.failedOthers).push(text);
    }
  }

  #tags(): string[] {
    const numbers = Array.from({ length: this.#options.clients }, (_, client) => client);
    return numbers.flatMap((client) => [`t${client}`, `i${client}`]);
  }

  #ask(method: string, rest: string, body?: Buffer, type?: string): Promise<SoakAnswer> {
    return this.#options.ask(method, `/v2/${this.#options.project}/${rest}`, body, type);
  }

  async #pushImage(
    random: Random,
    repository: string,
    tag: string | undefined,
    name: string,
    more: object = {},
  ): Promise<Described> {
    const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', name }));
    const parts = [config, ...[0, 1, 2].map(() => random.pick(layers)!)];
    const described: Described[] = [];
    for (const [at, bytes] of parts.entries()) {
      const digest = await this.#ensureBlob(random, repository, bytes);
      described.push({ mediaType: at ? layerType : ociConfig, digest, size: bytes.length });
    }
    const [first, ...rest] = described;
    const image = {
      schemaVersion: 2,
      mediaType: ociManifest,
      config: first,
      layers: rest,
      ...more,
    };
    const made = await this.#putManifest(repository, tag, ociManifest, image);
    this.counts.pushed++;
    return made;
  }

  async #pushIndex(random: Random, repository: string, client: number, round: number) {
    // Named by no tag, and so deleted by nobody before the index names them.
    const manifests = [];
    for (const at of [0, 1]) {
      manifests.push(
        await this.#pushImage(random, repository, undefined, `${client} ${round} ${at}`),
      );
    }
    const index = { schemaVersion: 2, mediaType: ociIndex, manifests };
    await this.#putManifest(repository, `i${client}`, ociIndex, index);
    this.counts.indexes++;
  }

  async #pushReferrer(random: Random, repository: string, client: number, round: number) {
    const tag = random.pick(this.#tags())!;
    const head = await this.#ask('HEAD', `${repository}/manifests/${tag}`);
    if (head.status === 404) return;
    expect(head, 200);
    const subject = {
      mediaType: head.headers.get('content-type'),
      digest: head.headers.get('docker-content-digest'),
      size: Number(head.headers.get('content-length')),
    };
    const more = { subject, artifactType: 'application/vnd.example.sbom' };
    await this.#pushImage(random, repository, undefined, `r ${client} ${round}`, more);
    this.counts.referrers++;
  }

  async #putManifest(
    repository: string,
    tag: string | undefined,
    mediaType: string,
    manifest: object,
  ): Promise<Described> {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = digestOf(bytes);
    const path = `${repository}/manifests/${tag ?? digest}`;
    expect(await this.#ask('PUT', path, bytes, mediaType), 201);
    return { mediaType, digest, size: bytes.length };
  }

  /** As clients do: asked for, mounted from elsewhere now and then, or sent. */
  async #ensureBlob(random: Random, repository: string, bytes: Buffer): Promise<string> {
    const digest = digestOf(bytes);
    const head = await this.#ask('HEAD', `${repository}/blobs/${digest}`);
    if (head.status === 200) return digest;
    expect(head, 404);
    const from = random.chance(0.5) ? random.pick(soakRepositories)! : undefined;
    const mount = from && `?mount=${digest}&from=${this.#options.project}/${from}`;
    const begun = await this.#ask('POST', `${repository}/blobs/uploads/${mount ?? ''}`);
    if (mount && begun.status === 201) {
      this.counts.mounted++;
      return digest;
    }
    expect(begun, 202);
    const url = new URL(begun.headers.get('location')!, 'http://x');
    url.searchParams.set('digest', digest);
    const path = `${url.pathname}${url.search}`;
    expect(await this.#options.ask('PUT', path, bytes, 'application/octet-stream'), 201);
    return digest;
  }

  async #pull(repository: string, reference: string): Promise<void> {
    const answer = await this.#ask('GET', `${repository}/manifests/${reference}`);
    if (answer.status === 404) return;
    expect(answer, 200);
    const digest = answer.headers.get('docker-content-digest');
    if (digestOf(answer.bytes) !== digest) this.wrongBytes.push(`${repository}/${reference}`);
    const manifest = JSON.parse(answer.bytes.toString()) as {
      manifests?: { digest: string }[];
      config?: { digest: string };
      layers?: { digest: string }[];
    };
    for (const child of manifest.manifests ?? []) {
      const held = await this.#ask('HEAD', `${repository}/manifests/${child.digest}`);
      if (held.status === 200) await this.#pull(repository, child.digest);
      else if (await this.#isThere(repository, digest))
        this.dangling.push(`${digest}: ${child.digest}`);
    }
    for (const { digest: blob } of [manifest.config ?? [], manifest.layers ?? []].flat()) {
      const found = await this.#ask('GET', `${repository}/blobs/${blob}`);
      if (found.status === 200) {
        if (digestOf(found.bytes) !== blob) this.wrongBytes.push(`${repository}: ${blob}`);
        continue;
      }
      expect(found, 404);
      // Right only where the image was deleted meanwhile.
      if (await this.#isThere(repository, digest)) this.dangling.push(`${digest}: ${blob}`);
      return;
    }
    this.counts.pulled++;
  }

  async #isThere(repository: string, digest: string | null): Promise<boolean> {
    return (await this.#ask('GET', `${repository}/manifests/${digest}`)).status !== 404;
  }

  async #remove(repository: string, tag: string): Promise<void> {
    const head = await this.#ask('HEAD', `${repository}/manifests/${tag}`);
    if (head.status !== 200) return expect(head, 404);
    const digest = head.headers.get('docker-content-digest');
    const gone = await this.#ask('DELETE', `${repository}/manifests/${digest}`);
    if (gone.status === 404) return;
    expect(gone, 202);
    this.counts.deleted++;
  }
}

function expect(answer: SoakAnswer, status: number): void {
  if (answer.status === status) return;
  throw new Error(
    `${answer.status} in place of ${status}: ${answer.bytes.toString().slice(0, 300)}`,
  );
}
