// enhance MODEL.param ALPHA_1.bin ALPHA_0.bin ALPHA IN.ppm OUT.ppm: a program that runs ncnn, with any strength.
//
// CMakeLists.txt builds it where ncnn's headers and library are installed.
#include "arguments.h"
#include "dni_blend.h"

#include "net.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

static int fail(const char* what)
{
    std::fprintf(stderr, "enhance: %s\n", what);
    return 1;
}

int main(int argc, char** argv)
{
    if (argc != 7)
        return fail("usage: enhance MODEL.param ALPHA_1.bin ALPHA_0.bin ALPHA IN.ppm OUT.ppm");

    // The strength: a file of weights in memory, as a program makes it anew whenever somebody moves a slider.
    std::string error;
    const std::vector<float> weights = dni::blend(bytes(argv[2]), bytes(argv[3]), number(argv[4]), error);
    if (weights.empty())
        return fail(error.c_str());

    // A net for it. ncnn refers to the memory that it loads from: `weights` has to live as long as the net (what is
    // declared later ends earlier). It reads what the layers of the .param file ask for, wherever `weights` end, and
    // returns how much that was: a program that loads files of strangers has to know beforehand.
    ncnn::Net net;
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = false; // they cost accuracy: 1e-3
    const std::size_t size = weights.size() * sizeof(float);
    if (net.load_param(argv[1]) != 0 || net.load_model(reinterpret_cast<const unsigned char*>(weights.data())) != size)
        return fail("the .param and the .bin files do not belong together");

    // An image: R, G, B from 0 to 1.
    const std::vector<char> file = bytes(argv[5]);
    const std::string header(file.begin(), file.begin() + std::min<std::size_t>(file.size(), 64));
    int w = 0, h = 0, start = 0;
    if (std::sscanf(header.c_str(), "P6 %d %d 255%n", &w, &h, &start) != 2 || start == 0 || w < 1 || h < 1
        || file.size() != std::size_t(start) + 1 + std::size_t(w) * h * 3)
        return fail("the image is not a .ppm file of 8 bits (P6, width, height, 255)");
    const unsigned char* pixels = reinterpret_cast<const unsigned char*>(file.data()) + start + 1;
    ncnn::Mat image = ncnn::Mat::from_pixels(pixels, ncnn::Mat::PIXEL_RGB, w, h);
    const float norm[] = {1 / 255.f, 1 / 255.f, 1 / 255.f};
    image.substract_mean_normalize(nullptr, norm);

    ncnn::Extractor extractor = net.create_extractor();
    ncnn::Mat result;
    if (extractor.input(net.input_names().front(), image) != 0
        || extractor.extract(net.output_names().front(), result) != 0 || result.c != 3)
        return fail("the network makes no image of R, G and B of this one");

    std::vector<unsigned char> rgb(std::size_t(result.w) * result.h * 3);
    for (int y = 0; y < result.h; y++)
        for (int x = 0; x < result.w; x++)
            for (int c = 0; c < 3; c++)
            {
                const float value = std::min(std::max(result.channel(c).row(y)[x], 0.f), 1.f);
                rgb[(std::size_t(y) * result.w + x) * 3 + c] = static_cast<unsigned char>(value * 255.f + 0.5f);
            }
    std::ofstream out(argv[6], std::ios::binary);
    out << "P6\n" << result.w << " " << result.h << "\n255\n";
    out.write(reinterpret_cast<const char*>(rgb.data()), std::streamsize(rgb.size()));
    return out.flush() ? 0 : fail("the result cannot be written");
}
