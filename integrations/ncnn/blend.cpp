// blend ALPHA_1.bin ALPHA_0.bin ALPHA OUT.bin: the .bin file of any strength, without Python. The .param file is theirs.
//
//     g++ -O2 -std=c++11 -ffp-contract=off blend.cpp -o blend
#include "arguments.h"
#include "dni_blend.h"

#include <cstdio>
#include <fstream>

int main(int argc, char** argv)
{
    if (argc != 5)
    {
        std::fprintf(stderr, "usage: blend ALPHA_1.bin ALPHA_0.bin ALPHA OUT.bin\n");
        return 1;
    }
    std::string error;
    const std::vector<float> weights = dni::blend(bytes(argv[1]), bytes(argv[2]), number(argv[3]), error);
    if (weights.empty())
    {
        std::fprintf(stderr, "blend: %s\n", error.c_str());
        return 1;
    }
    std::ofstream out(argv[4], std::ios::binary);
    out.write(reinterpret_cast<const char*>(weights.data()), std::streamsize(weights.size() * sizeof(float)));
    if (!out.flush())
    {
        std::fprintf(stderr, "blend: %s cannot be written\n", argv[4]);
        return 1;
    }
    return 0;
}
