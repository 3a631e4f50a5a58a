import type { Environment } from './secrets.ts';
import type { PlanName } from './teams.ts';
import type { TrustPolicy } from './trust-policies.ts';

/** Writes of teams, accounts, projects and what they keep. */
export interface ProjectCommands {
  /**
   * What is given replaces. A slug that the team gives up is held for it until `heldUntil`. Rejects with
   * `not-found`, or with `conflict` where the slug is another team's, or held for one.
   */
  UpdateTeam: {
    args: {
      teamId: string;
      name?: string | undefined;
      slug?: string | undefined;
      plan?: PlanName | undefined;
      /** Whether pushed images run. */
      functions?: boolean | undefined;
      now: number;
      heldUntil: number;
    };
    result: null;
  };
  /** What is given replaces; null: removed. Rejects with `not-found`, or `conflict` where the name is taken. */
  UpdateAccount: {
    args: {
      accountId: string;
      name?: string | undefined;
      email?: string | null | undefined;
      operator?: boolean | undefined;
    };
    result: null;
  };
  /** Whole. Rejects with `not-found`, or with `conflict` where the team has another of that name. */
  UpdateTrustPolicy: {
    args: Pick<
      TrustPolicy,
      'id' | 'teamId' | 'name' | 'audience' | 'claims' | 'projectIds' | 'actions'
    >;
    result: null;
  };
  /**
   * With its memberships, tokens, sessions and sign-ins. Rejects with `not-found`, or with `conflict`
   * where a team would lose its last owner.
   */
  DeleteAccount: { args: { accountId: string }; result: null };
  /** With its secrets, variables, webhooks, services and deployments. Rejects with `conflict` where it holds repositories or volumes. */
  DeleteProject: { args: { projectId: string }; result: null };
  /** Rejects with `quota` where the project has as many as it may, or with `not-found`. */
  PutSecret: {
    args: {
      /** Of a new one. */
      id: string;
      projectId: string;
      name: string;
      sealed: string;
      actor: string;
      now: number;
    };
    result: { created: boolean; version: number };
  };
  DeleteSecret: { args: { projectId: string; name: string }; result: null };
  /** As PutSecret has it. */
  PutVariable: {
    args: {
      projectId: string;
      environment: Environment;
      name: string;
      sealed: string;
      actor: string;
      now: number;
    };
    result: { created: boolean };
  };
  DeleteVariable: {
    args: { projectId: string; environment: Environment; name: string };
    result: null;
  };
  /** Bytes moved in a month (`2026-11`), in batches; projects that are gone are left out. */
  AddTransfer: {
    args: {
      month: string;
      entries: readonly { projectId: string; pulled: number; pushed: number }[];
    };
    result: null;
  };
}
