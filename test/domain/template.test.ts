import { describe, expect, it } from 'vitest';
import {
  MAX_BODY_LENGTH,
  MAX_TEMPLATE_LENGTH,
  renderTemplate,
  templateProblem,
} from '../../src/domain/template.ts';

describe('rendering', () => {
  it('takes event data first, then profile attributes', () => {
    expect(
      renderTemplate('Hi {{ name }} from {{ city }}', { name: 'Ada' }, { name: 'A.', city: 'Paris' }),
    ).toEqual({
      ok: true,
      body: 'Hi Ada from Paris',
    });
  });

  it.each([null, '', '  '])('lets a blank in the event (%j) give way to the profile', (blank) => {
    expect(renderTemplate('Hi {{ name }}', { name: blank }, { name: 'Ada' })).toEqual({
      ok: true,
      body: 'Hi Ada',
    });
  });

  it.each([
    ['absent', {}, '{{ name }}', 'name'],
    ['null', { name: null }, '{{ name }}', 'name'],
    ['blank', { name: ' ' }, '{{ name }}', 'name'],
    ['deep inside', { a: { b: null } }, '{{ a.b }}', 'a.b'],
    ['inherited, not own', {}, '{{ constructor }}', 'constructor'],
  ])('says which variable is %s instead of leaving a hole', (_, data, template, detail) => {
    expect(renderTemplate(`Hi ${template}!`, data, {})).toEqual({
      ok: false,
      reason: 'template_variable_missing',
      detail,
    });
  });

  it('lets a template have a default or ask first', () => {
    expect(renderTemplate('Hi {{ name | default: "there" }}', {}, {})).toEqual({
      ok: true,
      body: 'Hi there',
    });
    expect(renderTemplate('Hi{% if name %} {{ name }}{% endif %}!', {}, {})).toEqual({
      ok: true,
      body: 'Hi!',
    });
    expect(renderTemplate('{% if ok %}yes{% else %}no{% endif %}', { ok: false }, {})).toEqual({
      ok: true,
      body: 'no',
    });
  });

  it('keeps false and zero, which are values', () => {
    expect(renderTemplate('{{ a }} {{ b }} {{ list[0] }}', { a: 0, b: false, list: ['x'] }, {})).toEqual({
      ok: true,
      body: '0 false x',
    });
  });

  it('never sends an empty text', () => {
    expect(renderTemplate('{% if name %}Hi{% endif %}', {}, {})).toEqual({
      ok: false,
      reason: 'body_empty',
      detail: '',
    });
  });

  it('never sends a text that is too long', () => {
    const longest = 'x'.repeat(MAX_BODY_LENGTH);
    expect(renderTemplate('{{ t }}', { t: longest }, {})).toEqual({ ok: true, body: longest });
    expect(renderTemplate('{{ t }}', { t: `${longest}y` }, {})).toEqual({
      ok: false,
      reason: 'body_too_long',
      detail: '1601 characters, at most 1600',
    });
  });

  it('stops templates that cost too much', () => {
    const endless = '{% for i in (1..100000000) %}{{ i }}{% endfor %}';
    expect(renderTemplate(endless, {}, {})).toMatchObject({ ok: false, reason: 'template_error' });
    const nested =
      '{% for i in (1..1000) %}{% for j in (1..1000) %}{% for k in (1..1000) %}x{% endfor %}{% endfor %}{% endfor %}';
    expect(renderTemplate(nested, {}, {})).toMatchObject({ ok: false, reason: 'template_error' });
  });
});

describe('saving', () => {
  it('accepts Liquid', () => {
    expect(templateProblem('Hi {{ first_name | capitalize }}{% if x %}!{% endif %}')).toBeNull();
  });

  it.each([
    ['an open output', 'Hi {{ name'],
    ['an open tag', '{% if x %}Hi'],
    ['an unknown tag', '{% nonsense %}'],
    ['an unknown filter', '{{ name | nonsense }}'],
    ['a tag that reads other files', '{% include "secrets" %}'],
    ['another one', '{% render "secrets" %}'],
    ['a layout', '{% layout "page" %}'],
    ['a block', '{% block x %}{% endblock %}'],
  ])('refuses %s', (_, template) => {
    expect(templateProblem(template)).toMatch(/^is not a valid Liquid template: \S/);
    expect(templateProblem(template)).not.toContain('\n');
  });

  it('refuses a template that is too long', () => {
    expect(templateProblem('x'.repeat(MAX_TEMPLATE_LENGTH))).toBeNull();
    expect(templateProblem('x'.repeat(MAX_TEMPLATE_LENGTH + 1))).toBe('must have at most 4000 characters');
  });
});
