import assert from 'node:assert/strict';
import type { Role } from '../../ports/teams.ts';
import type { Token } from '../../ports/tokens.ts';
import type { Action } from '../../ports/trust-policies.ts';
import { hashToken, newToken } from '../../projects/token-secret.ts';
import type { Ends } from '../http-test-kit.ts';
import { type Application, openApplication } from '../services-test-kit.ts';
import type { ApiServices } from './api-services.ts';
import { refusalsOf } from './openapi.ts';
import type { Route } from './route.ts';
import { apiRoutes } from './routes/index.ts';
import { validate } from './validate.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose schema was checked.
  readonly body: any;
}

export interface ApiKit {
  readonly app: Application;
  /**
   * Calls the API as the holder of `secret` (anonymous without). Fails where the answer's status is not in
   * the route's document, or its body is not as its schema has it.
   */
  call(
    method: string,
    path: string,
    options?: { as?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<ApiAnswer>;
  account(id: string, more?: { operator?: boolean; role?: Role }): Promise<void>;
  /** A new token's secret. Of the world's team, scope admin, unless told. */
  token(of?: Partial<Token>): Promise<string>;
  /** A robot that may do just that in the team (or in projects of it): by an issued token of a policy. */
