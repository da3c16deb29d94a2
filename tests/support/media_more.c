/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See media_more.h.  A maker that fails stops the test program: there is nothing to test then.
 */
#include "media_more.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp_features.h"

#if DP_HAVE_AVIF
#include <avif/avif.h>
#endif
#if DP_HAVE_GIF
#include <gif_lib.h>
#endif
#if DP_HAVE_LCMS2
#include <lcms2.h>
#endif
#if DP_HAVE_WEBPMUX
#include <webp/encode.h>
#include <webp/mux.h>
#endif

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "media_more: %s failed\n", what);
        abort();
    }
}

static void *get(size_t size_bytes)
{
    void *memory = calloc(1, size_bytes);
    need(memory != NULL, "calloc");
    return memory;
}

#if DP_HAVE_AVIF || DP_HAVE_WEBPMUX

static made_media copy_of(const void *bytes, size_t size_bytes)
{
    made_media made = {get(size_bytes), size_bytes};
    memcpy(made.bytes, bytes, size_bytes);
    return made;
}

#endif

void media_exif(uint8_t out[MEDIA_EXIF_BYTES], unsigned orientation)
{
    static const uint8_t exif[MEDIA_EXIF_BYTES] = {'I', 'I',  42,   0, 8, 0, 0, 0, 1,
                                                   0,   0x12, 0x01, 3, 0, 1, 0, 0, 0};
    memcpy(out, exif, sizeof exif);
    out[18] = (uint8_t)orientation;
}

/* A file of three pieces: `at` bytes of the old one, the new piece, the rest. */
static made_media insert(made_media file, size_t at, const uint8_t *piece, size_t size_bytes)
{
    made_media made = {get(file.size_bytes + size_bytes), file.size_bytes + size_bytes};
    memcpy(made.bytes, file.bytes, at);
    memcpy(made.bytes + at, piece, size_bytes);
    memcpy(made.bytes + at + size_bytes, file.bytes + at, file.size_bytes - at);
    media_free(&file);
    return made;
}

static void put32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static uint32_t checksum(const uint8_t *bytes, size_t size_bytes)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
        }
    }
    return ~crc;
}

/* Behind the header, which is 33 bytes from the file's beginning. */
made_media media_png_add(made_media png, const char type[4], const uint8_t *data, size_t size_bytes)
{
    uint8_t *chunk = get(size_bytes + 12);
    put32(chunk, (uint32_t)size_bytes);
    memcpy(chunk + 4, type, 4);
    memcpy(chunk + 8, data, size_bytes);
    put32(chunk + 8 + size_bytes, checksum(chunk + 4, size_bytes + 4));
    const made_media made = insert(png, 33, chunk, size_bytes + 12);
    free(chunk);
    return made;
}

/* The profile in a zlib stream (RFC 1950) of one stored block (RFC 1951, 3.2.4). */
made_media media_png_add_icc(made_media png, const uint8_t *profile, size_t size_bytes)
{
    static const uint8_t head[] = {'p', 0, 0, 0x78, 0x01, 0x01};
    uint8_t *data = get(sizeof head + 4 + size_bytes + 4);
    uint32_t a = 1, b = 0;
    size_t at = sizeof head;

    need(size_bytes <= 65535, "a short profile");
    memcpy(data, head, sizeof head);
    data[at++] = (uint8_t)size_bytes;
    data[at++] = (uint8_t)(size_bytes >> 8);
    data[at++] = (uint8_t)~size_bytes;
    data[at++] = (uint8_t)(~size_bytes >> 8);
    memcpy(data + at, profile, size_bytes);
    at += size_bytes;
    for (size_t i = 0; i < size_bytes; i++) {
        a = (a + profile[i]) % 65521;
        b = (b + a) % 65521;
    }
    put32(data + at, b << 16 | a);
    const made_media made = media_png_add(png, "iCCP", data, at + 4);
    free(data);
    return made;
}

/* One marker behind the first (JFIF's or Adobe's is not moved: it is first). */
made_media media_jpeg_add_icc(made_media jpeg, const uint8_t *profile, size_t size_bytes)
{
    static const uint8_t name[14] = {'I', 'C', 'C', '_', 'P', 'R', 'O',
                                     'F', 'I', 'L', 'E', 0,   1,   1};
    uint8_t *marker = get(4 + sizeof name + size_bytes);
    const size_t length = 2 + sizeof name + size_bytes;

    need(length <= 65535, "a short profile");
    marker[0] = 0xff;
    marker[1] = 0xe2;
    marker[2] = (uint8_t)(length >> 8);
    marker[3] = (uint8_t)length;
    memcpy(marker + 4, name, sizeof name);
    memcpy(marker + 4 + sizeof name, profile, size_bytes);
    const made_media made = insert(jpeg, 2, marker, 2 + length);
    free(marker);
    return made;
}

#if DP_HAVE_WEBPMUX

made_media media_webp_add(made_media webp, const char type[4], const uint8_t *data,
                          size_t size_bytes)
{
    const WebPData file = {webp.bytes, webp.size_bytes}, chunk = {data, size_bytes};
    WebPData out;
    WebPMux *mux = WebPMuxCreate(&file, 1);
    need(mux != NULL && WebPMuxSetChunk(mux, type, &chunk, 1) == WEBP_MUX_OK &&
             WebPMuxAssemble(mux, &out) == WEBP_MUX_OK,
         "WebPMux");
    const made_media made = copy_of(out.bytes, out.size);
    WebPDataClear(&out);
    WebPMuxDelete(mux);
    media_free(&webp);
    return made;
}

made_media media_webp_motion(uint32_t width, uint32_t height, unsigned frames)
{
    WebPAnimEncoderOptions options;
    WebPConfig config;
    WebPData data;
    int at_ms = 0;

    need(WebPAnimEncoderOptionsInit(&options) && WebPConfigInit(&config) &&
             WebPConfigLosslessPreset(&config, 2),
         "WebPConfig");
    options.anim_params.loop_count = 5;
    WebPAnimEncoder *encoder = WebPAnimEncoderNew((int)width, (int)height, &options);
    need(encoder != NULL, "WebPAnimEncoderNew");
    for (unsigned i = 0; i < frames; i++) {
        WebPPicture picture;
        need(WebPPictureInit(&picture), "WebPPictureInit");
        picture.use_argb = 1;
        picture.width = (int)width;
        picture.height = (int)height;
        need(WebPPictureAlloc(&picture), "WebPPictureAlloc");
        for (uint32_t p = 0; p < width * height; p++) {
            picture.argb[p] = 0xff000000u | (50u * i) << 16 | 0x2010u;
        }
        need(WebPAnimEncoderAdd(encoder, &picture, at_ms, &config), "WebPAnimEncoderAdd");
        at_ms += 30 + 10 * (int)i;
        WebPPictureFree(&picture);
    }
    need(WebPAnimEncoderAdd(encoder, NULL, at_ms, NULL) && WebPAnimEncoderAssemble(encoder, &data),
         "WebPAnimEncoderAssemble");
    const made_media made = copy_of(data.bytes, data.size);
    WebPDataClear(&data);
    WebPAnimEncoderDelete(encoder);
    return made;
}

#else

made_media media_webp_add(made_media webp, const char type[4], const uint8_t *data,
                          size_t size_bytes)
{
    (void)type;
    (void)data;
    (void)size_bytes;
    media_free(&webp);
    return (made_media){NULL, 0};
}

made_media media_webp_motion(uint32_t width, uint32_t height, unsigned frames)
{
    (void)width;
    (void)height;
    (void)frames;
    return (made_media){NULL, 0};
}

#endif

#if DP_HAVE_GIF

static int append(GifFileType *gif, const GifByteType *bytes, int length)
{
    made_media *made = gif->UserData;
    made->bytes = realloc(made->bytes, made->size_bytes + (size_t)length);
    need(made->bytes != NULL, "realloc");
    memcpy(made->bytes + made->size_bytes, bytes, (size_t)length);
    made->size_bytes += (size_t)length;
    return length;
}

static void put_frame(GifFileType *gif, const int rect[4], GifByteType colour, unsigned disposal)
{
    const GraphicsControlBlock control = {
        .DisposalMode = (int)disposal, .DelayTime = 5, .TransparentColor = NO_TRANSPARENT_COLOR};
    GifByteType extension[4], line[64];
    const size_t length = EGifGCBToExtension(&control, extension);

    need(EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, (int)length, extension) == GIF_OK &&
             EGifPutImageDesc(gif, rect[0], rect[1], rect[2], rect[3], false, NULL) == GIF_OK,
         "frame");
    memset(line, colour, sizeof line);
    for (int y = 0; y < rect[3]; y++) {
        need(EGifPutLine(gif, line, rect[2]) == GIF_OK, "line");
    }
}

made_media media_gif_motion(unsigned disposal)
{
    const GifColorType colours[4] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}};
    const GifByteType loops[3] = {1, 0, 0};
    made_media made = {NULL, 0};
    int error = 0;

    GifFileType *gif = EGifOpen(&made, append, &error);
    ColorMapObject *map = GifMakeMapObject(4, colours);
    need(gif != NULL && map != NULL, "EGifOpen");
    EGifSetGifVersion(gif, true);
    need(EGifPutScreenDesc(gif, 12, 10, 2, 0, map) == GIF_OK, "screen");
    need(EGifPutExtensionLeader(gif, APPLICATION_EXT_FUNC_CODE) == GIF_OK &&
             EGifPutExtensionBlock(gif, 11, "NETSCAPE2.0") == GIF_OK &&
             EGifPutExtensionBlock(gif, 3, loops) == GIF_OK &&
             EGifPutExtensionTrailer(gif) == GIF_OK,
         "loop");
    put_frame(gif, (const int[4]){0, 0, 12, 10}, 0, 1);
    put_frame(gif, (const int[4]){2, 2, 4, 4}, 1, disposal);
    put_frame(gif, (const int[4]){6, 5, 4, 4}, 2, 1);
    GifFreeMapObject(map);
    need(EGifCloseFile(gif, &error) == GIF_OK, "EGifCloseFile");
    return made;
}

#else

made_media media_gif_motion(unsigned disposal)
{
    (void)disposal;
    return (made_media){NULL, 0};
}

#endif

#if DP_HAVE_AVIF

static void paint(avifImage *image, const avif_options *options, unsigned frame)
{
    avifRGBImage rgb;
    avifRGBImageSetDefaults(&rgb, image);
    rgb.format = AVIF_RGB_FORMAT_RGBA;
    rgb.depth = 8;
    avifRGBImageAllocatePixels(&rgb);
    for (uint32_t y = 0; y < image->height; y++) {
        for (uint32_t x = 0; x < image->width; x++) {
            uint8_t *pixel = rgb.pixels + y * rgb.rowBytes + 4 * (size_t)x;
            media_pattern(x, y, image->width, image->height, pixel);
            pixel[2] = options->frames > 1 ? (uint8_t)(60 * frame) : pixel[2];
            pixel[3] = !options->alpha || y < image->height / 2 ? 255 : 0;
        }
    }
    need(avifImageRGBToYUV(image, &rgb) == AVIF_RESULT_OK, "avifImageRGBToYUV");
    avifRGBImageFreePixels(&rgb);
}

static void describe(avifImage *image, const avif_options *options)
{
    if (options->turns > 0) {
        image->transformFlags |= AVIF_TRANSFORM_IROT;
        image->irot.angle = (uint8_t)options->turns;
    }
    if (options->mirror > 0) {
        image->transformFlags |= AVIF_TRANSFORM_IMIR;
        image->imir.mode = (uint8_t)(options->mirror - 1);
    }
    if (options->exif_orientation > 0) {
        uint8_t exif[MEDIA_EXIF_BYTES];
        media_exif(exif, options->exif_orientation);
        avifImageSetMetadataExif(image, exif, sizeof exif);
        image->transformFlags = AVIF_TRANSFORM_NONE; /* libavif would write turns of its own */
    }
}

made_media media_avif(uint32_t width, uint32_t height, const avif_options *options)
{
    const unsigned frames = options->frames > 1 ? options->frames : 1;
    avifRWData out = AVIF_DATA_EMPTY;

    if (avifCodecName(AVIF_CODEC_CHOICE_AUTO, AVIF_CODEC_FLAG_CAN_ENCODE) == NULL) {
        return (made_media){NULL, 0};
    }
    avifEncoder *encoder = avifEncoderCreate();
    need(encoder != NULL, "avifEncoderCreate");
    encoder->speed = AVIF_SPEED_FASTEST;
    encoder->timescale = 1000;
    encoder->minQuantizer = encoder->maxQuantizer = 10;
    for (unsigned i = 0; i < frames; i++) {
        avifImage *image = avifImageCreate(width, height, 8, AVIF_PIXEL_FORMAT_YUV444);
        need(image != NULL, "avifImageCreate");
        image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
        describe(image, options);
        paint(image, options, i);
        need(avifEncoderAddImage(encoder, image, 40,
                                 frames > 1 ? AVIF_ADD_IMAGE_FLAG_NONE
                                            : AVIF_ADD_IMAGE_FLAG_SINGLE) == AVIF_RESULT_OK,
             "avifEncoderAddImage");
        avifImageDestroy(image);
    }
    need(avifEncoderFinish(encoder, &out) == AVIF_RESULT_OK, "avifEncoderFinish");
    const made_media made = copy_of(out.data, out.size);
    avifRWDataFree(&out);
    avifEncoderDestroy(encoder);
    return made;
}

#else

made_media media_avif(uint32_t width, uint32_t height, const avif_options *options)
{
    (void)width;
    (void)height;
    (void)options;
    return (made_media){NULL, 0};
}

#endif

#if DP_HAVE_LCMS2

static uint8_t *save_profile(cmsHPROFILE profile, size_t *size_bytes)
{
    cmsUInt32Number size = 0;
    need(cmsSaveProfileToMem(profile, NULL, &size), "cmsSaveProfileToMem");
    uint8_t *bytes = get(size);
    need(cmsSaveProfileToMem(profile, bytes, &size), "cmsSaveProfileToMem");
    cmsCloseProfile(profile);
    *size_bytes = size;
    return bytes;
}

uint8_t *media_profile_rgb(size_t *size_bytes)
{
    const cmsCIExyY white = {0.3127, 0.3290, 1};
    /* sRGB's primaries, each in its neighbour's place. */
    const cmsCIExyYTRIPLE primaries = {{0.30, 0.60, 1}, {0.15, 0.06, 1}, {0.64, 0.33, 1}};
    cmsFloat64Number curve[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    cmsToneCurve *tone = cmsBuildParametricToneCurve(NULL, 4, curve);
    cmsToneCurve *const tones[3] = {tone, tone, tone};
    cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, tones);
    need(profile != NULL, "cmsCreateRGBProfile");
    cmsFreeToneCurve(tone);
    return save_profile(profile, size_bytes);
}

/* Lightness by how much ink there is, no colour (Lab in 16 bits: 0x8080 is none). */
static cmsInt32Number gray_of_inks(const cmsUInt16Number in[], cmsUInt16Number out[], void *cargo)
{
    const uint32_t inks = ((uint32_t)in[0] + in[1] + in[2]) / 3;
    const uint32_t most = inks > in[3] ? inks : in[3];
    (void)cargo;
    out[0] = (cmsUInt16Number)(65535u - most);
    out[1] = out[2] = 0x8080;
    return TRUE;
}

uint8_t *media_profile_inks(size_t *size_bytes)
{
    cmsHPROFILE profile = cmsCreateProfilePlaceholder(NULL);
    cmsPipeline *pipeline = cmsPipelineAlloc(NULL, 4, 3);
    cmsStage *table = cmsStageAllocCLut16bit(NULL, 5, 4, 3, NULL);

    need(profile != NULL && pipeline != NULL && table != NULL, "a profile of inks");
    cmsSetProfileVersion(profile, 2.1); /* one table of 16 bits */
    cmsSetDeviceClass(profile, cmsSigOutputClass);
    cmsSetColorSpace(profile, cmsSigCmykData);
    cmsSetPCS(profile, cmsSigLabData);
    need(cmsStageSampleCLut16bit(table, gray_of_inks, NULL, 0) &&
             cmsPipelineInsertStage(pipeline, cmsAT_BEGIN, table) &&
             cmsWriteTag(profile, cmsSigAToB0Tag, pipeline),
         "a profile of inks");
    cmsPipelineFree(pipeline);
    return save_profile(profile, size_bytes);
}

#else

uint8_t *media_profile_rgb(size_t *size_bytes)
{
    *size_bytes = 0;
    return NULL;
}

uint8_t *media_profile_inks(size_t *size_bytes)
{
    *size_bytes = 0;
    return NULL;
}

#endif
