import { version } from '../../../config/version.ts';
import type { SentLine } from './sink.ts';

type Attribute = { key: string; value: { stringValue: string } };

const attribute = (key: string, value: string): Attribute => ({
  key,
  value: { stringValue: value },
});

/** severityNumber of the OpenTelemetry log data model: INFO, and ERROR for standard error. */
const severities = {
  stdout: { severityNumber: 9, severityText: 'INFO' },
  stderr: { severityNumber: 17, severityText: 'ERROR' },
  system: { severityNumber: 9, severityText: 'INFO' },
} as const;

/** ExportLogsServiceRequest of OTLP 1, JSON encoding: a resource for each instance. */
export function otlpOf(lines: readonly SentLine[]): string {
  const byInstance = Map.groupBy(lines, ({ line }) => line.instanceId);
  const resourceLogs = [...byInstance.values()].map((of) => {
    const { target, line } = of[0]!;
    return {
      resource: {
        attributes: [
          attribute('service.name', line.service),
          attribute('service.namespace', `${target.teamSlug}/${target.projectSlug}`),
          attribute('service.instance.id', line.instanceId),
          attribute('service.version', target.service.digest),
          attribute('deployment.environment.name', target.environment),
          attribute('gantry.deployment.id', line.deploymentId),
        ],
      },
      scopeLogs: [
        { scope: { name: 'gantry', version }, logRecords: of.map(({ line }) => recordOf(line)) },
      ],
    };
  });
  return JSON.stringify({ resourceLogs });
}

function recordOf(line: SentLine['line']) {
  const nanos = `${BigInt(line.at) * 1_000_000n}`;
  return {
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    ...severities[line.stream],
    body: { stringValue: line.text },
    attributes: [
      attribute('log.iostream', line.stream),
      attribute('log.record.uid', line.id),
      ...(line.requestIds.length === 0
        ? []
        : [
            {
              key: 'gantry.request.ids',
              value: { arrayValue: { values: line.requestIds.map((id) => ({ stringValue: id })) } },
            },
          ]),
    ],
  };
}
