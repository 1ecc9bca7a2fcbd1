/** The map as a picture that says what it shows. */
import { canvasPicture, fileName, identityLine, save } from '../../core/export';
import { report } from '../../core/messages';
import { plural } from '../../plots/numbers';
import type { MapController } from './controller';
import { qualityText } from './quality';

export async function savePicture(controller: MapController): Promise<void> {
  const { layers, colourBy, counts, sizing } = controller.store.getState();
  if (!layers.length) return;
  const [{ detail, projection }] = layers;
  const said = [
    colourBy && colourBy !== 'none' ? `coloured by ${colourBy}` : '',
    sizing ? `sized by ${sizing.scale.column}` : '',
    qualityText(projection).short,
  ];
  const info = {
    title: `Map ${projection.name}`,
    subtitle: said.filter(Boolean).join(', '),
    n: `${plural(counts.shown, 'feature')} of ${(counts.shown + counts.ground).toLocaleString('en-US')}, ${counts.unplaced.toLocaleString('en-US')} without a place`,
    sae: layers.map(({ sae }) => sae).join(', '),
    identity: identityLine(detail.identity, detail.identity_digest),
    commit: detail.commit,
  };
  try {
    save(await canvasPicture(controller.scene.picture(), info), fileName(info, 'png'));
  } catch (error) {
    report(error);
  }
}
