import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '../../ports/identity.ts';
import type { Project } from '../../ports/projects.ts';
import type { Repository } from '../../ports/repositories.ts';
import type { Team } from '../../ports/teams.ts';
import type { Action } from '../../ports/trust-policies.ts';
import type { ApiServices } from './api-services.ts';
import type { Reply } from './reply.ts';
import type { ObjectSchema, Schema } from './schema.ts';

export { created, noContent, ok, type Reply } from './reply.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Who may call a route. `public`: anyone; `signed-in`: any identity; `operator`: who runs the installation.
 * The others ask for an action at the place that the path names: `team` of the whole team (`known`: of any
 * part of it), `project` of `{team}/{project}`, `repository` of `{team}/{project}/{repository}`.
 * `or`: another action that opens it, too.
 * `orPublicParts`: a project opens for everybody, too, where a repository in it is public, and the handler
 * shows no more than those.
 */
export type Access =
  | { readonly at: 'public' | 'signed-in' | 'operator' }
  | { readonly at: 'team'; readonly action: Action | 'known' }
  | {
      readonly at: 'project';
      readonly action: Action;
      readonly or?: Action;
      readonly orPublicParts?: true;
    }
  | { readonly at: 'repository'; readonly action: Action };

/** What a route's handler is given: everything validated, and access granted. */
export interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly services: ApiServices;
  readonly identity: Identity;
  /** The client's address. */
  readonly address: string;
  readonly requestId: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  /** The places of the path; each is there where the route's `access` names it or something in it. */
  readonly team: Team;
  readonly project: Project;
  readonly repository: Repository;
}

export interface Route {
  readonly method: Method;
  /** Below /api/v1, OpenAPI's way: `/teams/{team}/tokens`. */
  readonly path: string;
  readonly operationId: string;
  /** Groups routes in the document. */
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: Access;
  /** Schemas of path parameters that are not `team`, `project`, `repository`. */
  readonly params?: Readonly<Record<string, Schema>>;
  readonly query?: ObjectSchema;
  /** JSON body. */
  readonly body?: ObjectSchema;
  /** Most bytes of `body`, where it is more than a MiB: it is read once access is granted. */
  readonly bodyLimit?: number;
  /** A body that the handler reads for itself; JSON else. */
  readonly rawBody?: { readonly mediaType: string; readonly schema: Schema };
  /** Answers that go well, by status. Those that every route may give are added. */
  readonly replies: Readonly<Record<number, ReplyDoc>>;
  /** Refusals beside those that follow from access, parameters and body. */
  readonly refusals?: readonly number[];
  /** Takes an Idempotency-Key: the same request again gets the same answer. */
  readonly idempotent?: boolean;
  /** Does not go into the audit log, though it is no GET. */
  readonly unaudited?: boolean;
  /** Resolves with undefined where the handler has answered by itself. */
  handle(call: Call): Promise<Reply | undefined>;
}

export interface ReplyDoc {
  readonly description: string;
  readonly schema?: Schema;
  /** Of `schema`, where it is not JSON. */
  readonly mediaType?: string;
}
