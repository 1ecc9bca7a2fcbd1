/** One label for every selected feature: one event in the log, however many there are. */
import { postJson, segment } from '../../core/api';
import { tell } from '../../core/messages';
import { app } from '../../core/state';
import type { Label, LabelNew } from '../../core/types';
import { plural } from '../../core/numbers';
import { Dialog } from '../../ui/Dialog';
import { useCategories } from '../../ui/labels/categories';
import { LabelForm } from '../../ui/labels/LabelForm';
import { session } from '../../ui/session';
import { useApp } from '../../ui/useApp';

async function labelSelection(body: LabelNew): Promise<void> {
  const { sae, selection } = app.getState();
  if (sae === null || !selection) return;
  await postJson<Label>(`/saes/${segment(sae)}/labels`, { ...body, features: Array.from(selection.ids) });
  tell('info', `${plural(selection.ids.length, 'feature')} labelled`);
  await session.refreshLabels();
}

export function BulkLabel({ onClose }: { onClose: () => void }) {
  const selection = useApp((state) => state.selection);
  const sae = useApp((state) => state.sae);
  const categories = useCategories();
  if (!selection) return null;
  return (
    <Dialog title={`Label ${plural(selection.ids.length, 'feature')}`} onClose={onClose}>
      <p className="muted">
        Selection <b dir="auto">{selection.name}</b>: all of them get this label in one event, which supersedes what its
        author said of them before. What others said, and the history, stay.
      </p>
      <LabelForm
        about={`the selection of ${sae}`}
        categories={categories}
        submitText="Label all of them"
        onCancel={onClose}
        onSubmit={async (body) => {
          await labelSelection(body);
          onClose();
        }}
      />
    </Dialog>
  );
}
