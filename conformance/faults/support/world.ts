import type { Content } from '../../spec/content.ts';
import { Register } from './register.ts';

/** A manifest that was pushed at some time, and what it needs to be pulled whole. */
export interface KnownManifest {
  readonly content: Content;
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  readonly children: readonly string[];
  readonly present: Register<true>;
}

/** An upload that is not finished, as far as its client knows. */
export interface Session {
  readonly repository: KnownRepository;
  readonly blob: Content;
  /** Path and query. */
  location: string;
  /** Bytes that the server said it has. */
  acknowledged: number;
  /** What the last request asked for, where it was never answered. */
  unanswered: 'chunk' | 'finish' | 'cancel' | undefined;
  /** When the last request that was answered and made it live longer was sent. */
  touched: number;
}

export class KnownRepository {
  readonly name: string;
  readonly tags = new Map<string, Register<string>>();
  readonly manifests = new Map<string, KnownManifest>();
  /** Digest and size of what was answered with 201. */
  readonly blobs = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  tag(name: string): Register<string> {
    const register = this.tags.get(name) ?? new Register<string>();
    this.tags.set(name, register);
    return register;
  }

  manifest(made: Omit<KnownManifest, 'present'>): KnownManifest {
    const { digest } = made.content;
    const known = this.manifests.get(digest) ?? { ...made, present: new Register<true>() };
    this.manifests.set(digest, known);
    return known;
  }

  /** Manifests that are there for certain, unless a request that is under way deletes them. */
  held(): KnownManifest[] {
    return [...this.manifests.values()].filter(({ present }) => present.mayBe(true));
  }

  /** What the tag may resolve to now; undefined stands for "there is no such tag". */
  tagMayBe(name: string): Set<string | undefined> {
    const values = new Set<string | undefined>();
    for (const put of this.tag(name).last()) {
      if (put.value === undefined) values.add(undefined);
      else {
        // Deleting a manifest takes its tags along.
        const deleted = this.manifests
          .get(put.value)!
          .present.changes.filter(
            ({ value, began, ended }) =>
              value === undefined && ended !== began && !before(ended, put.began),
          );
        if (deleted.length > 0) values.add(undefined);
        const surely = deleted.some(
          ({ began, ended }) => ended !== undefined && before(put.ended, began),
        );
        if (!surely) values.add(put.value);
      }
    }
    return values;
  }
}

function before(ended: number | undefined, began: number): boolean {
  return ended !== undefined && ended < began;
}

/** All that the clients of a test know. */
export class World {
  readonly repositories: readonly KnownRepository[];
  readonly tagNames: readonly string[];
  readonly sessions = new Set<Session>();
  /** Blobs answered with 201 since the last look at all of them. */
  readonly fresh: { readonly repository: KnownRepository; readonly digest: string }[] = [];

  constructor(prefix: string) {
    this.repositories = ['one', 'two', 'three', 'four'].map(
      (name) => new KnownRepository(`${prefix}/${name}`),
    );
    this.tagNames = ['latest', ...Array.from({ length: 9 }, (_, at) => `v${at}`)];
  }

  hasBlob(repository: KnownRepository, { digest, bytes }: Content): void {
    repository.blobs.set(digest, bytes.length);
    this.fresh.push({ repository, digest });
  }
}
