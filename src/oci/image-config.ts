import { isJsonObject, parseBoundedJson } from './bounded-json.ts';

/** What an image's config says (image-spec, config.md), as far as it is of the kind that the specification has. */
export interface ImageConfig {
  readonly os: string | undefined;
  readonly architecture: string | undefined;
  readonly variant: string | undefined;
  /** As it stands there: RFC 3339, where the builder kept to the specification. */
  readonly created: string | undefined;
  readonly author: string | undefined;
  readonly user: string | undefined;
  readonly workingDir: string | undefined;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `NAME=value` */
  readonly env: readonly string[];
  /** `8080/tcp` */
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly stopSignal: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Oldest first. */
  readonly history: readonly HistoryStep[];
}

export interface HistoryStep {
  readonly created: string | undefined;
  readonly createdBy: string | undefined;
  readonly comment: string | undefined;
  /** True: it made no layer. */
  readonly emptyLayer: boolean;
}

const maxDepth = 64;

/** Undefined where the bytes are no JSON object; a field of another kind counts as absent. Never throws. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig | undefined {
  const json = parseBoundedJson(bytes, maxDepth);
  if (!json.ok || !isJsonObject(json.value)) return undefined;
  const document = json.value;
  const config = isJsonObject(document.config) ? document.config : {};
  return {
    os: text(document.os),
    architecture: text(document.architecture),
    variant: text(document.variant),
    created: text(document.created),
    author: text(document.author),
    user: text(config.User),
    workingDir: text(config.WorkingDir),
    entrypoint: texts(config.Entrypoint),
    command: texts(config.Cmd),
    env: texts(config.Env),
    exposedPorts: names(config.ExposedPorts),
    volumes: names(config.Volumes),
    stopSignal: text(config.StopSignal),
    labels: textMap(config.Labels),
    history: Array.isArray(document.history)
      ? document.history.filter(isJsonObject).map((step) => ({
          created: text(step.created),
          createdBy: text(step.created_by),
          comment: text(step.comment),
          emptyLayer: step.empty_layer === true,
        }))
      : [],
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** The specification writes sets as objects of empty objects. */
function names(value: unknown): string[] {
  return isJsonObject(value) ? Object.keys(value) : [];
}

function textMap(value: unknown): Record<string, string> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}
