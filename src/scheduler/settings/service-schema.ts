import { contractNames } from '../../ports/functions.ts';

/** A JSON Schema, as far as settings need it. */
export interface SettingSchema {
  readonly type: string;
  readonly description?: string;
  readonly [keyword: string]: unknown;
}

const integer = (minimum: number, maximum: number, description: string): SettingSchema => ({
  ...{ type: 'integer', minimum, maximum, description },
});
const flag = (description: string): SettingSchema => ({ type: 'boolean', description });
const oneOf = (values: readonly string[], description: string): SettingSchema => ({
  ...{ type: 'string', enum: values, description },
});
const noNul = '^[^\\u0000]*$';
const words = (description: string): SettingSchema => ({
  type: 'array',
  maxItems: 256,
  items: { type: 'string', maxLength: 4096, pattern: noNul },
  description,
});
const record = (
  properties: Readonly<Record<string, SettingSchema>>,
  required: readonly string[],
  description: string,
): SettingSchema => ({
  ...{ type: 'object', properties, required, additionalProperties: false, description },
});

const second = 1000;
const hour = 3_600_000;
const day = 24 * hour;
const variableNames = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]{0,254}$' } as const;
const idle = (environment: string) =>
  integer(
    second,
    day,
    `Milliseconds without a request after which an instance of ${environment} ends.`,
  );

/** What a service can be set to, with its ranges: the only list of them. */
export const serviceProperties: Readonly<Record<string, SettingSchema>> = {
  contract: oneOf(
    contractNames,
    'How requests and the environment look to the container; vercel unless set here or by an image label.',
  ),
  port: integer(
    1,
    65_535,
    'Where the container listens; also spelled caPort or exposedPort in gantry.json. Else PORT of the environment, else 80 (vercel), 9000 (function-compute) or 8080 (cloud-run).',
  ),
  command: words("In place of the image's entrypoint."),
  args: words("In place of the image's command."),
  env: {
    type: 'object',
    maxProperties: 256,
    propertyNames: variableNames,
    additionalProperties: { type: 'string', maxLength: 32_768, pattern: noNul },
    description: 'Variables of this service alone: at most 256, 64 KiB together.',
  },
  secrets: {
    type: 'object',
    maxProperties: 256,
    propertyNames: variableNames,
    additionalProperties: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]{0,254}$' },
    description: "Variable -> name of the project's secret that it has.",
  },
  machineType: {
    type: 'string',
    pattern: '^[A-Za-z0-9][A-Za-z0-9-]{0,31}$',
    description:
      'CPU, memory and GPU, by the name in the table of this installation; S unless set, or XS where the host is smaller.',
  },
  diskSize: oneOf(
    ['512MB', '10GB'],
    'Of the writable layer, which is gone with the instance; 512MB unless set.',
  ),
  role: record(
    {
      actions: {
        type: 'array',
        maxItems: 3,
        uniqueItems: true,
        items: oneOf(['pull', 'push', 'create'], 'As actions of tokens.'),
        description: 'In this project.',
      },
    },
    ['actions'],
    'What the identity of its instances may do in its project; its tokens pull, and its keys do nothing, unless set. Nobody can give what they may not do themselves.',
  ),
  concurrency: integer(
    1,
    1000,
    'Requests at once in one instance; 50 (vercel), 1 (function-compute) or 80 (cloud-run) unless set.',
  ),
  minInstances: integer(0, 100, 'Instances that are there without a request, too; 0 unless set.'),
  maxInstances: integer(1, 1000, 'The most instances; 100 unless set.'),
  freezeAfterMs: integer(
    0,
    hour,
    'Milliseconds without a request after which an instance is frozen; 5000 unless set; 0: never.',
  ),
  idleMs: record(
    { production: idle('production'), preview: idle('previews') },
    [],
    'Until an instance ends: 300000 in production and 30000 in previews unless set.',
  ),
  startTimeoutMs: integer(
    second,
    hour,
    'Milliseconds until the container has to listen; 120000 unless set.',
  ),
  requestTimeoutMs: integer(
    second,
    day,
    'Milliseconds that a request may take; 300000 unless set.',
  ),
  graceMs: integer(0, 600_000, 'Milliseconds from SIGTERM to SIGKILL; 30000 unless set.'),
  volumes: {
    type: 'array',
    maxItems: 16,
    items: record(
      {
        name: {
          type: 'string',
          pattern: '^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$',
          maxLength: 63,
          description: 'Of a volume of the project.',
        },
        path: {
          type: 'string',
          pattern: '^/[^\\u0000:]*$',
          maxLength: 512,
          description: 'In the container.',
        },
        readOnly: flag('Whether it cannot be written to.'),
      },
      ['name', 'path'],
      'A volume and where it is.',
    ),
    description: 'What lasts beyond an instance.',
  },
  logSink: {
    type: 'object',
    oneOf: [
      record(
        {
          type: oneOf(['file'], 'A file on the host.'),
          name: {
            type: 'string',
            pattern: '^[a-z0-9][a-z0-9._-]{0,62}$',
            description: 'Of the file.',
          },
        },
        ['type', 'name'],
        'A file.',
      ),
      record(
        {
          type: oneOf(['http', 'otlp'], 'JSON Lines by HTTP, or OTLP.'),
          url: {
            type: 'string',
            pattern: '^https?://[^\\s@]+$',
            maxLength: 1024,
            description: 'Where lines go.',
          },
        },
        ['type', 'url'],
        'A server.',
      ),
    ],
    description: 'Where log lines go, too.',
  },
  initialize: flag(
    'function-compute: /initialize is called once in each instance, before its first request.',
  ),
  handler: {
    type: 'string',
    minLength: 1,
    maxLength: 256,
    pattern: '^[\\x21-\\x7e]+$',
    description: 'function-compute: what x-fc-function-handler says.',
  },
  kind: oneOf(
    ['http', 'event'],
    'function-compute: an event function is invoked by the API alone; http unless set.',
  ),
  logsInErrors: flag(
    "function-compute: whether FunctionNotStarted ends with the container's last lines; true unless set.",
  ),
};

export const serviceSettingsSchema = {
  type: 'object',
  properties: serviceProperties,
  required: [] as string[],
  additionalProperties: false,
} as const;
