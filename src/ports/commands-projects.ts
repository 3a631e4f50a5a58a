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
}
