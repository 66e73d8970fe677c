/** Tally: `FORM_RESPONSE`. Fields are known by their label and key; chosen options are read as their texts. */
import { isJsonObject } from '../../platform/json.ts';
import type { Delivery, Kind, Mapping } from '../kind.ts';
import { at, idOf, jsonBody, members, textOf, timeOf, typeOf, unreadable } from './payload.ts';
import { verifyBodyHmac } from './proof.ts';
import { customerIn, dataOf, type Field, firstNumber, nameOf, recognise } from './recognised.ts';

export const tally: Kind = {
  name: 'tally',
  needsSecret: true,
  verify: (delivery, settings) =>
    verifyBodyHmac(delivery, settings, { header: 'tally-signature', hash: 'SHA-256', encoding: 'base64' }),
  map,
};

function map(delivery: Delivery): Mapping {
  const body = jsonBody(delivery);
  if (!body.ok) return body.mapping;
  const eventType = textOf(at(body.value, 'eventType'));
  if (eventType !== null && eventType !== 'FORM_RESPONSE')
    return { kind: 'ignored', note: 'No form response.', hint: 'Only FORM_RESPONSE counts.' };
  const response = at(body.value, 'data');
  if (!isJsonObject(response) || !Array.isArray(response.fields))
    return unreadable('The body holds no data.fields as Tally sends them.');

  const fields = response.fields.flatMap(fieldOf);
  const byLabel = Object.fromEntries(fields.map(({ names: [name = ''], value }) => [name, value]));
  const byKey = Object.fromEntries(fields.map(({ names, value }) => [names.at(-1) ?? '', value]));
  const of = (type: string): TallyField[] => fields.filter((field) => field.type === type);
  return {
    kind: 'events',
    events: [
      {
        id: idOf(at(body.value, 'eventId'), response.responseId),
        type: typeOf(eventType ?? 'FORM_RESPONSE'),
        // What a person typed into a visible question is no proof of being that customer.
        customerId: customerIn(of('HIDDEN_FIELDS')) ?? idOf(response.respondentId),
        occurredAt: timeOf(response.createdAt, at(body.value, 'createdAt')),
        data: dataOf(
          { ...byLabel, form_id: response.formId, form_name: response.formName },
          recognise(fields),
          {
            MOBILE_NUMBER: firstNumber(of('INPUT_PHONE_NUMBER').map(({ value }) => value)),
          },
        ),
        payload: { ...members(body.value), answers: { ...byKey, ...byLabel } },
      },
    ],
  };
}

interface TallyField extends Field {
  readonly type: unknown;
}

function fieldOf(field: unknown): TallyField[] {
  const names = [at(field, 'label'), at(field, 'key')].map(nameOf).filter((name) => name !== null);
  return names.length === 0 ? [] : [{ names, value: answerOf(field), type: at(field, 'type') }];
}

/**
 * Choices come as the ids of options. A question that has one option is a box: ticked is true, left empty is false. Of
 * several options one chosen is its text, more are a list.
 */
function answerOf(field: unknown): unknown {
  const [value, options] = [at(field, 'value'), at(field, 'options')];
  if (!Array.isArray(value) || !Array.isArray(options)) return value;
  if (options.length === 1 && at(field, 'type') === 'CHECKBOXES') return value.length === 1;
  const texts = new Map(options.map((option: unknown) => [at(option, 'id'), at(option, 'text')]));
  const chosen = value.map((id: unknown) => texts.get(id) ?? id);
  return chosen.length === 1 ? chosen[0] : chosen;
}
