import { CloudEvent, HTTP } from 'cloudevents';
import type { EventRow } from '../ports/events.ts';

/** As many digits as the largest sequence has: the extension compares sequences as texts. */
const sequenceDigits = 16;

const written = new WeakMap<EventRow, string>();

/**
 * The event in the JSON format of CloudEvents. `source` is of the team, whose slug may change, and so its
 * id; `partitionkey` names the stream, within which `sequence` counts (both as CloudEvents' documented
 * extensions have them); `position` is the place among all events of this installation.
 */
export function toCloudEventJson(row: EventRow): string {
  let json = written.get(row);
  if (json === undefined) {
    json = structured({
      id: row.id,
      source: sourceOf(row.teamId),
      type: row.type,
      subject: row.subject,
      time: new Date(row.createdAt).toISOString(),
      data: row.data,
      partitionkey: row.streamId,
      sequence: String(row.sequence).padStart(sequenceDigits, '0'),
      position: String(row.position),
    });
    written.set(row, json);
  }
  return json;
}

/** What a webhook is sent to see whether it works. Of no stream. */
export function testEventJson(test: {
  id: string;
  teamId: string;
  webhookId: string;
  actor: string;
  now: number;
}): string {
  return structured({
    id: test.id,
    source: sourceOf(test.teamId),
    type: 'webhook.test',
    subject: test.webhookId,
    time: new Date(test.now).toISOString(),
    data: { actor: test.actor },
  });
}

function sourceOf(teamId: string): string {
  return `urn:gantry:team:${teamId}`;
}

function structured(
  attributes: Record<string, unknown> & { type: string; source: string },
): string {
  const event = new CloudEvent({ ...attributes, datacontenttype: 'application/json' });
  return String(HTTP.structured(event).body);
}
