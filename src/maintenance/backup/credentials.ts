import type { Row, Snapshot, TableRows, TableShape } from '../../ports/rows.ts';

/** Who is let in by the rows of an installation: what a restore makes good again. Times are UTC milliseconds. */
export interface Credentials {
  /** Neither revoked nor expired. */
  readonly tokens: readonly ValidToken[];
  readonly policies: readonly TrustedIssuer[];
  /** They sign in, and their tokens are among the tokens. */
  readonly accounts: readonly { readonly name: string; readonly operator: boolean }[];
}

export interface ValidToken {
  readonly id: string;
  readonly name: string;
  /** `team <slug>` or `account <name>` */
  readonly owner: string;
  readonly scope: string;
  readonly createdAt: number;
  readonly expiresAt?: number;
  readonly lastUsedAt?: number;
}

/** Whose tokens a trust policy takes. */
export interface TrustedIssuer {
  readonly id: string;
  readonly name: string;
  readonly team: string;
  readonly issuer: string;
}

type Watched = 'teams' | 'accounts' | 'tokens' | 'trust_policies';
type Named = Readonly<Record<string, Row[number]>>;

/** Looks at rows as they pass. */
export class CredentialWatch {
  readonly #rows: Record<Watched, Named[]> = {
    ...{ teams: [], accounts: [], tokens: [], trust_policies: [] },
  };

  wants({ name }: Pick<TableShape, 'name'>): boolean {
    return Object.hasOwn(this.#rows, name);
  }

  see({ name, columns }: TableShape, rows: readonly Row[]): void {
    if (!this.wants({ name })) return;
    const kept = this.#rows[name as Watched];
    for (const row of rows) {
      kept.push(Object.fromEntries(columns.map((column, at) => [column.name, row[at] ?? null])));
    }
  }

  async *watch(tables: AsyncIterable<TableRows>): AsyncGenerator<TableRows> {
    const see = (shape: TableShape, batch: readonly Row[]) => this.see(shape, batch);
    for await (const { shape, rows } of tables) {
      const seen = async function* () {
        for await (const batch of rows) {
          see(shape, batch);
          yield batch;
        }
      };
      yield { shape, rows: seen() };
    }
  }

  /** Once all have passed. */
  found(now: number): Credentials {
    const { teams, accounts, tokens, trust_policies } = this.#rows;
    const slugs = new Map(teams.map(({ id, slug }) => [id, String(slug)]));
    const names = new Map(accounts.map(({ id, name }) => [id, String(name)]));
    const valid = tokens.filter(
      ({ revoked_at, expires_at }) =>
        revoked_at === null && (expires_at === null || Number(expires_at) > now),
    );
    return {
      tokens: valid.map(({ id, name, team_id, account_id, scope, ...times }) => ({
        ...{ id: String(id), name: String(name), scope: String(scope) },
        owner:
          team_id === null
            ? `account ${names.get(account_id!) ?? account_id}`
            : `team ${slugs.get(team_id!) ?? team_id}`,
        createdAt: Number(times.created_at),
        ...(times.expires_at !== null && { expiresAt: Number(times.expires_at) }),
        ...(times.last_used_at !== null && { lastUsedAt: Number(times.last_used_at) }),
      })),
      policies: trust_policies.map(({ id, name, team_id, issuer }) => ({
        ...{ id: String(id), name: String(name), issuer: String(issuer) },
        team: slugs.get(team_id!) ?? String(team_id),
      })),
      accounts: accounts.map(({ name, operator }) => ({
        ...{ name: String(name), operator: operator === 1 },
      })),
    };
  }
}

/** Those of a database as it stands. */
export async function credentialsIn(snapshot: Snapshot, now: number): Promise<Credentials> {
  const watch = new CredentialWatch();
  for (const shape of snapshot.tables) {
    if (!watch.wants(shape)) continue;
    for await (const rows of snapshot.rows(shape)) watch.see(shape, rows);
  }
  return watch.found(now);
}
