import { DAY, duration, HOUR, list, MINUTE, type SettingSchema, text } from './setting-schema.ts';

/** How CI jobs and people sign in. */
export const signInSettings = {
  exchangedTokenTtl: {
    ...duration(MINUTE, HOUR, 'from 1m to 1h'),
    default: '1h',
    description:
      'How long a token is good for that a CI job exchanged its JWT for (POST /oauth/token).',
    example: '15m',
  },
  issuerKeyRotation: {
    ...duration(7 * DAY, 3650 * DAY, 'from 7d to 3650d'),
    default: '90d',
    description:
      'How old the key may get by which this registry signs OIDC tokens for projects. The next one is published for a day before it signs.',
    example: '30d',
  },
  signinIssuer: {
    ...text,
    format: 'http-url',
    absent: 'people sign in with tokens alone',
    description:
      'The OpenID Connect provider at which people sign in with a browser (/signin). Needs GANTRY_SIGNIN_CLIENT_ID. Its redirect URI is <this registry>/signin/callback.',
    allowed: "the provider's issuer URL",
    example: 'https://accounts.example.com',
  },
  signinClientId: {
    ...text,
    minLength: 1,
    absent: 'people sign in with tokens alone',
    description: 'The client that this registry is at that provider.',
    allowed: 'any text',
    example: 'gantry',
  },
  signinClientSecret: {
    ...text,
    secret: true,
    minLength: 1,
    absent: 'a public client, protected by PKCE',
    description: "That client's secret, sent as HTTP Basic.",
    allowed: 'any text',
    example: '$(cat client-secret)',
  },
  signinAllow: {
    ...list,
    items: { type: 'string', format: 'sign-in' },
    default: [],
    description:
      'Who gets an account at the first sign-in. Others need one before, with their verified e-mail address. An account alone opens no team.',
    allowed:
      'domains (example.com), e-mail addresses, sub:<subject>, or * for everyone whom the provider lets in, separated by commas',
    example: 'example.com,ada@example.org',
  },
  sessionIdle: {
    ...duration(MINUTE, 30 * DAY, 'from 1m to 30d'),
    default: '24h',
    description: 'How long a browser stays signed in without being used.',
    example: '8h',
  },
  sessionTtl: {
    ...duration(MINUTE, 90 * DAY, 'from 1m to 90d'),
    default: '7d',
    description: 'How long a browser stays signed in at the longest.',
    example: '24h',
  },
} as const satisfies Record<string, SettingSchema>;
