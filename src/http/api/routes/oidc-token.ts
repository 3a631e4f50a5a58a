import { mayAct } from '../../../auth/authorizer.ts';
import { longestTokenSeconds } from '../../../auth/issuer.ts';
import { refuse } from '../../../oci/errors.ts';
import { ok, type Route } from '../route.ts';
import { object, text, time, toTime } from '../schema.ts';

interface Asked {
  readonly environment: string;
  readonly audience?: string;
  readonly expiresIn?: number;
}

export const oidcTokenRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/teams/{team}/projects/{project}/oidc-token',
    operationId: 'createOidcToken',
    tag: 'Signing in',
    summary: "An OIDC token of one of the project's environments.",
    description:
      'Signed by this registry, which is an OpenID issuer (/.well-known/openid-configuration): clouds that trust it let the project in without a secret, and so does a trust policy here. Needs the action deploy or functions.',
    access: { at: 'project', action: 'pull' },
    body: object(
      {
        environment: text(32, {
          pattern: '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$',
          description: 'Such as production or preview: lower-case letters, digits and dashes.',
          examples: ['production'],
        }),
        audience: text(255, {
          pattern: '^[\\x21-\\x7e]+$',
          description: 'Who is to take the token; this registry unless given.',
        }),
        expiresIn: {
          type: 'integer',
          minimum: 60,
          maximum: longestTokenSeconds,
          description: 'Seconds; an hour unless given.',
        },
      },
      { optional: ['audience', 'expiresIn'], title: 'NewOidcToken' },
    ),
    replies: {
      200: {
        description: 'The token. It cannot be taken back, only run out.',
        schema: object(
          {
            token: { type: 'string' },
            issuer: { type: 'string' },
            subject: { type: 'string' },
            audience: { type: 'string' },
            expiresAt: time,
          },
          { title: 'OidcToken' },
        ),
      },
    },
    async handle({ team, project, identity, body, services }) {
      const place = { teamId: team.id, projectId: project.id, visibility: 'private' as const };
      if (!mayAct(identity, place, 'deploy') && !mayAct(identity, place, 'functions')) {
        throw refuse(
          'denied',
          `${identity.actor} may not do this: it needs the action deploy or functions there.`,
          'Use a token of scope write, or ask an admin of the team for a role or a trust policy that allows it.',
        );
      }
      const { environment, audience, expiresIn } = body as Asked;
      const options = { environment, audience, seconds: expiresIn };
      const signed = await services.issuer.sign(team, project, options);
      return ok({ ...signed, issuer: services.issuer.url, expiresAt: toTime(signed.expiresAt) });
    },
  },
];
