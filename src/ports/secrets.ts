import type { Awaitable } from './awaitable.ts';

/** A secret of a project: what is told of it. Its value is sealed, and only what runs is given it. */
export interface Secret {
  readonly name: string;
  /** 1, 2, 3 …: one more with each value. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface Secrets {
  /** By name, after `after`, at most `limit`. */
  page(projectId: string, after: string | undefined, limit: number): Awaitable<Secret[]>;
  find(projectId: string, name: string): Awaitable<(Secret & { sealed: string }) | undefined>;
  /** Those of `names` that there are, in no order. */
  findMany(projectId: string, names: readonly string[]): Awaitable<(Secret & { sealed: string })[]>;
}

export const environments = ['production', 'preview', 'development'] as const;
export type Environment = (typeof environments)[number];

/** A variable that a project's services get in one environment. */
export interface Variable {
  readonly name: string;
  readonly sealed: string;
  /** 1, 2, 3 …: one more with each value. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly updatedBy: string;
}

export interface Variables {
  /** By name, after `after`, at most `limit`. */
  page(
    place: { readonly projectId: string; readonly environment: Environment },
    after: string | undefined,
    limit: number,
  ): Awaitable<Variable[]>;
  find(projectId: string, environment: Environment, name: string): Awaitable<Variable | undefined>;
}

/** What a secret's sealed value is bound to. */
export const secretContext = (projectId: string, name: string): string =>
  `secret:${projectId}/${name}`;

/** What a variable's sealed value is bound to. */
export const variableContext = (
  projectId: string,
  environment: Environment,
  name: string,
): string => `variable:${projectId}/${environment}/${name}`;
